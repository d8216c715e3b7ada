import type { Request } from 'express';
import {
  ANONYMOUS,
  DEFAULT_CONVERSATION_OPTIONS,
  completeConversations,
  type ConversationDependencies,
  type ConversationOptions,
} from '../conversations/index.js';
import type { ItemStore } from '../memory/index.js';
import { DEFAULTS, DEFAULT_TENANT, type Caller } from '../protocol/index.js';
import type { ProjectAuth } from './auth/ports.js';
import type { CorsRules } from './http/cors.js';

export interface ApiOptions extends ConversationOptions {
  /** Origins of web pages that may call the API; `*` allows any origin. */
  corsOrigins: readonly string[];
  /** Largest request body, in bytes. */
  bodyLimitBytes: number;
  /**
   * Time between two comment lines of an event stream, in ms. They show that the stream is alive:
   * LangGraph's SDK closes a stream after three missed comment lines.
   */
  heartbeatMs: number;
  /**
   * While a client waits for a JSON answer, the server sends it a newline at this interval, in ms,
   * so that no proxy closes the connection as idle.
   */
  keepAliveMs: number;
  /**
   * How long a client may read nothing before it is disconnected, in ms. The client may reconnect
   * with its last event id.
   */
  stalledClientMs: number;
  /** True to serve `POST /internal/truncate`. */
  testMode: boolean;
  /**
   * Values of the `Host` header that are accepted in addition to loopback hosts, in lower case. If
   * absent, every host is accepted.
   */
  allowedHosts?: readonly string[];
  /** Maximum number of open connections from one IP address; 0 means no limit. */
  connectionsPerAddress: number;
  /** How often an open stream checks that its client may still read it, in ms. */
  accessCheckMs: number;
}

export const DEFAULT_OPTIONS: ApiOptions = {
  ...DEFAULT_CONVERSATION_OPTIONS,
  corsOrigins: ['*'],
  bodyLimitBytes: DEFAULTS.bodyLimitBytes,
  heartbeatMs: DEFAULTS.heartbeatMs,
  keepAliveMs: 1_000,
  stalledClientMs: 60_000,
  testMode: false,
  connectionsPerAddress: DEFAULTS.connectionsPerAddress,
  accessCheckMs: DEFAULTS.accessCheckMs,
};

export type RouteGroup = 'assistants' | 'threads' | 'runs' | 'store' | 'meta';

/** Settings of the server that a project makes under `http` in its `langgraph.json`. */
export interface HttpCustomization {
  /**
   * The project's own app: a Hono app, an Express app, or an object with `fetch(Request)`. It gets
   * requests before Colloquy's own routes.
   */
  app?: unknown;
  /** Groups of Colloquy's own routes that are not served. */
  disabled: readonly RouteGroup[];
  /** Rules that replace `corsOrigins`. */
  cors?: CorsRules;
}

export interface ApiDependencies extends Omit<ConversationDependencies, 'options'> {
  /** Port to LangGraph's long-term store. Graphs read and write the same store. */
  items: ItemStore;
  info: { version: string; langgraphVersion: string };
  /**
   * Identifies the caller of a request. Errors: `unauthenticated`. Default: every caller is the
   * anonymous user of the default tenant, see {@link anonymousOf}.
   */
  authenticate?: (request: Request) => Caller | Promise<Caller>;
  http?: HttpCustomization;
  /**
   * The project's own auth. It identifies the user of a request and decides what the user may do.
   * The tenant still comes from `authenticate` above.
   */
  auth?: ProjectAuth;
  options?: Partial<ApiOptions>;
}

/** The dependencies of the API, with every default filled in. */
export type ApiContext = Omit<Required<ApiDependencies>, 'options' | 'auth'> &
  Pick<ApiDependencies, 'auth'> & { options: ApiOptions };

export function completeContext(deps: ApiDependencies): ApiContext {
  return {
    ...deps,
    ...completeConversations(deps),
    authenticate: deps.authenticate ?? (() => anonymousOf(DEFAULT_TENANT)),
    http: deps.http ?? { disabled: [] },
    options: { ...DEFAULT_OPTIONS, ...deps.options },
  };
}

/** Returns the anonymous user of a tenant, which is the caller if the project has no auth. */
export function anonymousOf(tenant: string): Caller {
  return { tenant, principal: { kind: 'user', id: ANONYMOUS }, onBehalfOf: [] };
}
