import type { BaseStore } from '@langchain/langgraph-checkpoint';
import type { Db, MongoClient } from 'mongodb';
import type { DeliveryStore, Egress } from '../egress/index.js';
import type { Caller, Cron, CronFilters, DeriveId } from '../protocol/index.js';
import type { GraphSource } from '../steps/index.js';
import type { EventLog } from '../streams/index.js';
import type { AssistantStore, CronStore, StateCache, ThreadStore } from '../threads/index.js';

/** What the effects need; made by the composition root of a worker. */
export interface ActivityDependencies {
  client: MongoClient;
  db: Db;
  threads: ThreadStore;
  assistants: AssistantStore;
  crons: CronStore;
  schedules: ScheduleReader;
  runs: RunIntake;
  events: EventLog;
  deriveId: DeriveId;
  project: GraphSource;
  cache: StateCache;
  /** What waits to leave, and the way out. */
  deliveries: DeliveryStore;
  egress: Egress;
  /** Secrets that webhooks are signed with. */
  webhookSecrets: readonly string[];
  /** Makes an address for feedback on a run; absent where nobody can. */
  feedbackAddress?: (runId: string, key: string) => Promise<string>;
  /** Aborted when the worker is asked to stop: steps end after the superstep they are in. */
  drain: AbortSignal;
  /** Workflow history holds the start of questions, so that the Web UI shows them. */
  showsQuestions: boolean;
  /** LangGraph's long-term store as a caller sees it, handed to graphs. */
  openStore?: (caller: Caller) => BaseStore;
}

/** A run that nobody's request asked for. */
export interface ScheduledRun {
  caller: Caller;
  threadId: string;
  runId: string;
  /** Idempotency key. */
  key: string;
  /** The run makes its thread, and the conversation ends with it. */
  stateless: boolean;
  /** What a client would have sent. */
  body: Record<string, unknown>;
  /** Filters that the thread and the assistant must match; absent: none. */
  filters?: CronFilters;
}

/** The way that the API takes runs in, for runs that come by themselves. */
export interface RunIntake {
  /** Idempotent by key; errors as the API's clients get them. */
  take(order: ScheduledRun): Promise<{ threadId: string; runId: string }>;
  /** A run that is not there any more is fine. */
  cancel(caller: Caller, threadId: string, runId: string): Promise<void>;
}

/** What a firing asks of the Schedules. */
export interface ScheduleReader {
  next(cron: Cron): Promise<Date | undefined>;
  remove(tenant: string, cronId: string): Promise<void>;
}

/** The platform itself, at work for a tenant. */
export function workerCaller(tenant: string): Caller {
  return { tenant, principal: { kind: 'service', id: 'worker' }, onBehalfOf: [] };
}

/** Whoever signals with the Temporal CLI or Web UI. */
export function operatorCaller(tenant: string): Caller {
  return { tenant, principal: { kind: 'operator', id: 'temporal' }, onBehalfOf: [] };
}
