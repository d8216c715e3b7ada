import type { ConversationContext } from '../conversations/index.js';
import type { DeliveryStore, Egress } from '../egress/index.js';
import type { StepCallOptions, StepEnd, ThreadReads } from '../executors/index.js';
import { serviceCaller, type Caller, type Origin } from '../protocol/index.js';
import type { EventLog } from '../streams/index.js';
import type { HeadStore, SaverStore, ThreadStore } from '../threads/index.js';
import type { StepTask } from '../workflows/contract.js';

/** Runs the code of graphs in other processes. */
export interface Executors extends ThreadReads {
  /**
   * Runs one attempt of a step. Resolves when all code of the attempt has stopped. `alone`: no other
   * step runs in the same process. `signal`: the attempt is given up. `started` is called when the
   * process begins the step, with a function that says whether the process is blocked.
   */
  runStep(task: StepTask, attempt: number, options: StepCallOptions): Promise<StepEnd>;
}

/** Dependencies of activities. The composition root of a worker makes them. */
export interface ActivityDependencies {
  threads: ThreadStore;
  heads: HeadStore;
  savers: SaverStore;
  events: EventLog;
  /**
   * Dependencies of the use cases in `conversations/`. Activities that accept, record or cancel a
   * run call these use cases.
   */
  conversations: ConversationContext;
  /** The processes that run the code of graphs. */
  executors: Executors;
  /** Webhook bodies that wait to be sent, and the HTTP client that sends them. */
  deliveries: DeliveryStore;
  egress: Egress;
  /** Secrets with which the worker signs webhooks. */
  webhookSecrets: readonly string[];
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
