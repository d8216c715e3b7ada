import type { Request, RequestHandler, Response } from 'express';
import {
  ANONYMOUS,
  DEFAULT_CONVERSATION_OPTIONS,
  completeConversations,
  type ConversationDependencies,
  type ConversationOptions,
} from '../conversations/index.js';
import type { ItemStore } from '../memory/index.js';
import { ColloquyError, DEFAULTS, DEFAULT_TENANT, type Caller } from '../protocol/index.js';
import { keepSession } from './auth/session.js';
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

/** Health checks and clients that look who is there come without credentials. */
const OPEN_PATHS = ['/ok', '/info'];

/** Puts the caller beside the response; every route behind it has one. */
export function authentication(context: ApiContext): RequestHandler {
  return async (req, res, next) => {
    if (OPEN_PATHS.includes(req.path)) {
      next();
      return;
    }
    await identifyCaller(context, req, res);
    next();
  };
}

/** Finds out who calls, and keeps it beside the response. Errors: `unauthenticated`, what the project throws. */
export async function identifyCaller(context: ApiContext, req: Request, res: Response): Promise<void> {
  const caller = await context.authenticate(req);
  callers.set(res.locals, context.auth ? await identify(context.auth, caller, req, res) : caller);
}

async function identify(auth: ProjectAuth, { tenant }: Caller, req: Request, res: Response): Promise<Caller> {
  const authenticate = () => auth.authenticate(req);
  const who = await authenticate();
  keepSession(res, { who, authenticate });
  return { tenant, principal: { kind: 'user', id: who.user.identity }, onBehalfOf: [] };
}

/**
 * By the `locals` of a response, which an inner response shares: a project's Express app may have
 * a `locals.caller` of its own.
 */
const callers = new WeakMap<object, Caller>();

/** Errors: `unauthenticated` where nobody has asked who calls. */
export function callerOf(res: Response): Caller {
  const caller = callers.get(res.locals);
  if (caller === undefined) throw new ColloquyError('unauthenticated', 'Unauthorized');
  return caller;
}
