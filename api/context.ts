import type { Request, RequestHandler, Response } from 'express';
import { DEFAULT_TENANT, type Caller } from '../protocol/index.js';
import type { GraphDescriptions, StateAccess } from '../steps/ports.js';
import type { EventLog } from '../streams/index.js';
import type { AssistantStore, CronStore, ThreadStore } from '../threads/index.js';
import type { Conversations } from './conversations.js';
import type { Schedules } from './schedules.js';

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
  /** How long the steps of a deleted thread may take to stop. */
  closeTimeoutMs: number;
}

export const DEFAULT_OPTIONS: ApiOptions = {
  corsOrigins: ['*'],
  bodyLimitBytes: 10 * 1024 * 1024,
  heartbeatMs: 5_000,
  keepAliveMs: 1_000,
  stalledClientMs: 60_000,
  endCheckMs: 10_000,
  rejectGraceMs: 1_000,
  closeTimeoutMs: 15_000,
};

export interface ApiDependencies {
  threads: ThreadStore;
  assistants: AssistantStore;
  crons: CronStore;
  events: EventLog;
  states: StateAccess;
  graphs: GraphDescriptions;
  conversations: Conversations;
  schedules: Schedules;
  info: { version: string; langgraphVersion: string };
  /** Who calls; throws `unauthenticated`. Default: everybody is {@link anonymousOf} the default tenant. */
  authenticate?: (request: Request) => Caller | Promise<Caller>;
  /** Hears of errors that are not the client's. */
  report?: (error: unknown, where: string) => void;
  /** Ends open streams when the process stops; their clients reconnect elsewhere. */
  shutdown?: AbortSignal;
  options?: Partial<ApiOptions>;
}

/** Dependencies with every choice made. */
export type ApiContext = Omit<Required<ApiDependencies>, 'options'> & { options: ApiOptions };

export function completeContext(deps: ApiDependencies): ApiContext {
  return {
    ...deps,
    authenticate: deps.authenticate ?? (() => anonymousOf(DEFAULT_TENANT)),
    report: deps.report ?? (() => undefined),
    shutdown: deps.shutdown ?? new AbortController().signal,
    options: { ...DEFAULT_OPTIONS, ...deps.options },
  };
}

/** The caller where nobody has to say who they are. */
export function anonymousOf(tenant: string): Caller {
  return { tenant, principal: { kind: 'user', id: 'anonymous' }, onBehalfOf: [] };
}

/** Puts the caller beside the response; every route behind it has one. */
export function authentication(context: ApiContext): RequestHandler {
  return async (req, res, next) => {
    res.locals['caller'] = await context.authenticate(req);
    next();
  };
}

export function callerOf(res: Response): Caller {
  return res.locals['caller'] as Caller;
}
