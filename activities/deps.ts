import type { BaseStore } from '@langchain/langgraph-checkpoint';
import type { Db, MongoClient } from 'mongodb';
import type { Caller } from '../protocol/index.js';
import type { GraphSource } from '../steps/index.js';
import type { EventLog } from '../streams/index.js';
import type { AssistantStore, StateCache, ThreadStore } from '../threads/index.js';

/** What the effects need; made by the composition root of a worker. */
export interface ActivityDependencies {
  client: MongoClient;
  db: Db;
  threads: ThreadStore;
  assistants: AssistantStore;
  events: EventLog;
  project: GraphSource;
  cache: StateCache;
  /** Aborted when the worker is asked to stop: steps end after the superstep they are in. */
  drain: AbortSignal;
  /** LangGraph's long-term store as a caller sees it, handed to graphs. */
  openStore?: (caller: Caller) => BaseStore;
}

/** The platform itself, at work for a tenant. */
export function workerCaller(tenant: string): Caller {
  return { tenant, principal: { kind: 'service', id: 'worker' }, onBehalfOf: [] };
}

/** Whoever signals with the Temporal CLI or Web UI. */
export function operatorCaller(tenant: string): Caller {
  return { tenant, principal: { kind: 'operator', id: 'temporal' }, onBehalfOf: [] };
}
