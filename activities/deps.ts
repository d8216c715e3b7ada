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
  /**
   * Dependencies of the use cases in `conversations/`. Activities that accept, record or cancel a
   * run call these use cases.
   */
  conversations: ConversationContext;
  project: GraphSource;
  cache: StateCache;
  /** Webhook bodies that wait to be sent, and the HTTP client that sends them. */
  deliveries: DeliveryStore;
  egress: Egress;
  /** Secrets with which the worker signs webhooks. */
  webhookSecrets: readonly string[];
  /**
   * Creates the URL to which a client posts feedback on a run, for one feedback key. Absent without
   * LangSmith.
   */
  feedbackAddress?: (runId: string, key: string) => Promise<string>;
  /** Aborted when the worker stops. A running step then ends after its current superstep. */
  drain: AbortSignal;
  /**
   * Whether the workflow history contains previews of the questions that interrupts ask. Temporal's
   * Web UI shows these previews.
   */
  showsQuestions: boolean;
  /**
   * Opens LangGraph's long-term store on behalf of a caller. The graph of a run uses this store.
   */
  openStore?: (caller: Caller) => BaseStore;
}

/**
 * Returns the caller for a worker. With `origin` (who created a run), the worker acts on behalf of
 * that origin. Otherwise it acts for itself.
 */
export function workerCaller(tenant: string, origin?: Origin): Caller {
  return serviceCaller(tenant, 'worker', origin);
}

/** Returns the caller for a person who sends signals with the Temporal CLI or Web UI. */
export function operatorCaller(tenant: string): Caller {
  return { tenant, principal: { kind: 'operator', id: 'temporal' }, onBehalfOf: [] };
}
