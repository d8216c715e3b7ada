import type { Request, RequestHandler, Response } from 'express';
import {
  ColloquyError,
  DEFAULT_CRON_MIN_INTERVAL_SECONDS,
  DEFAULT_TENANT,
  type Caller,
  type DeriveId,
} from '../protocol/index.js';
import type { ItemStore } from '../memory/index.js';
import type { GraphDescriptions, StateAccess } from '../steps/ports.js';
import type { EventLog } from '../streams/index.js';
import type { AssistantStore, CronStore, ThreadStore } from '../threads/index.js';
import type { Schedules } from './schedules.js';
import { keepSession } from './auth/session.js';
import type { ProjectAuth } from './auth/ports.js';
import type { Conversations } from './conversations.js';
import { ANONYMOUS } from './idempotency.js';
import type { CorsRules } from './cors.js';

export interface ApiOptions {
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
  /** How often a stream looks whether its run has ended without an event that says so. */
  endCheckMs: number;
  /** How long a refused run is tried again when the refusing run has just ended. */
  rejectGraceMs: number;
  /** Serves `POST /internal/truncate`. */
  testMode: boolean;
  /** No new schedule of a cron fires more often. */
  cronMinIntervalSeconds: number;
  /** How long the steps of a deleted thread may take to stop. */
  closeTimeoutMs: number;
  /** Hosts that are answered beside loopback ones, as a `Host` header names them, in lower case; absent: any. */
  allowedHosts?: readonly string[];
  /** Connections of one address at once; 0: any number. */
  connectionsPerAddress: number;
  /** How often an open stream asks again whether its client may read it. */
  accessCheckMs: number;
}

export const DEFAULT_OPTIONS: ApiOptions = {
  corsOrigins: ['*'],
  bodyLimitBytes: 10 * 1024 * 1024,
  heartbeatMs: 5_000,
  keepAliveMs: 1_000,
  stalledClientMs: 60_000,
  endCheckMs: 10_000,
  rejectGraceMs: 1_000,
  testMode: false,
  cronMinIntervalSeconds: DEFAULT_CRON_MIN_INTERVAL_SECONDS,
  closeTimeoutMs: 15_000,
  connectionsPerAddress: 1_000,
  accessCheckMs: 30_000,
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

export interface ApiDependencies {
  threads: ThreadStore;
  assistants: AssistantStore;
  crons: CronStore;
  events: EventLog;
  states: StateAccess;
  graphs: GraphDescriptions;
  conversations: Conversations;
  schedules: Schedules;
  deriveId: DeriveId;
  /** What waits to leave: webhooks of a thread go with it. */
  deliveries: { recall(caller: Caller, threadId: string): Promise<void> };
  /** LangGraph's store, the one that graphs get. */
  items: ItemStore;
  info: { version: string; langgraphVersion: string };
  /** Who calls; throws `unauthenticated`. Default: everybody is {@link anonymousOf} the default tenant. */
  authenticate?: (request: Request) => Caller | Promise<Caller>;
  http?: HttpCustomization;
  /** The project's own: says who calls, within the tenant of `authenticate`, and what they may do. */
  auth?: ProjectAuth;
  /** Refuses a URL that no request may go to from here. Errors: ours. Default: takes every one; the worker refuses it then. */
  checkWebhook?: (url: string) => void;
  /** Workers can have addresses for feedback made. */
  hasFeedback?: boolean;
  /** Hears of errors that are not the client's. */
  report?: (error: unknown, where: string) => void;
  /** Ends open streams when the process stops; their clients reconnect elsewhere. */
  shutdown?: AbortSignal;
  options?: Partial<ApiOptions>;
}

/** Dependencies with every choice made. */
export type ApiContext = Omit<Required<ApiDependencies>, 'options' | 'auth'> &
  Pick<ApiDependencies, 'auth'> & { options: ApiOptions };

export function completeContext(deps: ApiDependencies): ApiContext {
  return {
    ...deps,
    authenticate: deps.authenticate ?? (() => anonymousOf(DEFAULT_TENANT)),
    checkWebhook: deps.checkWebhook ?? (() => undefined),
    hasFeedback: deps.hasFeedback ?? false,
    http: deps.http ?? { disabled: [] },
    report: deps.report ?? (() => undefined),
    shutdown: deps.shutdown ?? new AbortController().signal,
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
