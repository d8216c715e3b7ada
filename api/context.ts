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
  /** Origins that browsers may call from; `*`: any. */
  corsOrigins: readonly string[];
  /** Largest request body, in bytes. */
  bodyLimitBytes: number;
  /** Between two comment lines of a stream; LangGraph's SDK takes a stream for dead after three of them. */
  heartbeatMs: number;
  /** Between two newlines before the JSON of a waiting request. */
  keepAliveMs: number;
  /** A client that takes nothing for so long is cut off; it may come back with its last event id. */
  stalledClientMs: number;
  /** Serves `POST /internal/truncate`. */
  testMode: boolean;
  /** Hosts that are answered beside loopback ones, as a `Host` header names them, in lower case; absent: any. */
  allowedHosts?: readonly string[];
  /** Connections of one address at once; 0: any number. */
  connectionsPerAddress: number;
  /** How often an open stream asks again whether its client may read it. */
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

/** What a project changes about the server. */
export interface HttpCustomization {
  /** A Hono app, an Express app, or anything with `fetch(Request)`; before our routes. */
  app?: unknown;
  /** Routes that are not served. */
  disabled: readonly RouteGroup[];
  /** In place of `corsOrigins`. */
  cors?: CorsRules;
}

export interface ApiDependencies extends Omit<ConversationDependencies, 'options'> {
  /** LangGraph's store, the one that graphs get. */
  items: ItemStore;
  info: { version: string; langgraphVersion: string };
  /** Who calls; throws `unauthenticated`. Default: everybody is {@link anonymousOf} the default tenant. */
  authenticate?: (request: Request) => Caller | Promise<Caller>;
  http?: HttpCustomization;
  /** The project's own: says who calls, within the tenant of `authenticate`, and what they may do. */
  auth?: ProjectAuth;
  options?: Partial<ApiOptions>;
}

/** Dependencies with every choice made. */
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

/** The caller where nobody has to say who they are. */
export function anonymousOf(tenant: string): Caller {
  return { tenant, principal: { kind: 'user', id: ANONYMOUS }, onBehalfOf: [] };
}
