import type { BaseStore } from '@langchain/langgraph-checkpoint';
import type { ConversationContext } from '../conversations/index.js';
import type { DeliveryStore, Egress } from '../egress/index.js';
import { serviceCaller, type Caller, type Origin } from '../protocol/index.js';
import type { GraphSource } from '../steps/index.js';
import type { EventLog } from '../streams/index.js';
import type { HeadStore, InjectionStore, SaverStore, StateCache, ThreadStore } from '../threads/index.js';

/** Dependencies of activities. The composition root of a worker makes them. */
export interface ActivityDependencies {
  threads: ThreadStore;
  heads: HeadStore;
  injections: InjectionStore;
  savers: SaverStore;
  events: EventLog;
  /** For activities that accept or end runs through the use cases of conversations. */
  conversations: ConversationContext;
  project: GraphSource;
  cache: StateCache;
  /** Messages that wait to be sent, and the HTTP client that sends them. */
  deliveries: DeliveryStore;
  egress: Egress;
  /** Secrets that webhooks are signed with. */
  webhookSecrets: readonly string[];
  /** Makes an address for feedback on a run. Absent without LangSmith. */
  feedbackAddress?: (runId: string, key: string) => Promise<string>;
  /** Aborted when the worker stops. Steps end after their current superstep. */
  drain: AbortSignal;
  /** Whether workflow history has previews of questions, which the Web UI shows. */
  showsQuestions: boolean;
  /** Opens LangGraph's long-term store for a caller. Graphs get this store. */
  openStore?: (caller: Caller) => BaseStore;
}

/** Returns the caller of a worker that acts for itself, or for the origin of a run. */
export function workerCaller(tenant: string, origin?: Origin): Caller {
  return serviceCaller(tenant, 'worker', origin);
}

/** Returns the caller for a person who signals with the Temporal CLI or Web UI. */
export function operatorCaller(tenant: string): Caller {
  return { tenant, principal: { kind: 'operator', id: 'temporal' }, onBehalfOf: [] };
}
