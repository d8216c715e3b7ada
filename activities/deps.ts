import type { BaseStore } from '@langchain/langgraph-checkpoint';
import type { ConversationContext } from '../conversations/index.js';
import type { DeliveryStore, Egress } from '../egress/index.js';
import { serviceCaller, type Caller, type Origin } from '../protocol/index.js';
import type { GraphSource } from '../steps/index.js';
import type { EventLog } from '../streams/index.js';
import type { HeadStore, InjectionStore, SaverStore, StateCache, ThreadStore } from '../threads/index.js';

/** What the effects need; made by the composition root of a worker. */
export interface ActivityDependencies {
  threads: ThreadStore;
  heads: HeadStore;
  injections: InjectionStore;
  savers: SaverStore;
  events: EventLog;
  /** What the use cases of conversations need: effects that take in or end runs call those. */
  conversations: ConversationContext;
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

/** The platform's workers, for themselves or for the one who asked for a run. */
export function workerCaller(tenant: string, origin?: Origin): Caller {
  return serviceCaller(tenant, 'worker', origin);
}

/** Whoever signals with the Temporal CLI or Web UI. */
export function operatorCaller(tenant: string): Caller {
  return { tenant, principal: { kind: 'operator', id: 'temporal' }, onBehalfOf: [] };
}
