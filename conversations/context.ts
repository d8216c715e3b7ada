import { DEFAULTS, type DeriveId } from '../protocol/index.js';
import type { GraphDescriptions, StateAccess } from '../steps/ports.js';
import type { DeliveryStore } from '../egress/index.js';
import type { EventLog } from '../streams/index.js';
import type { AssistantStore, CronStore, HeadStore, ThreadStore } from '../threads/index.js';
import type { Conversations, Schedules } from './ports.js';

export interface ConversationOptions {
  /**
   * Interval in ms at which a stream of a run's events also reads the run's record. Some runs end
   * without a last event in the log. Then only the record shows the end.
   */
  endCheckMs: number;
  /**
   * How long a refused run with the strategy `reject` is submitted again, in ms. The conversation
   * may refuse the run because it does not know yet that the previous run has ended. The run is
   * submitted again only if the records show no other active or waiting run.
   */
  rejectGraceMs: number;
  /**
   * Smallest interval between two firings that a schedule may have, in seconds. It is checked when
   * a client sends a schedule. Schedules that are stored already are not checked.
   */
  cronMinIntervalSeconds: number;
  /** How long the steps of a deleted thread may take to stop, in ms. */
  closeTimeoutMs: number;
}

export const DEFAULT_CONVERSATION_OPTIONS: ConversationOptions = {
  endCheckMs: 10_000,
  rejectGraceMs: 1_000,
  cronMinIntervalSeconds: DEFAULTS.cronMinIntervalSeconds,
  closeTimeoutMs: 15_000,
};

/** The dependencies of the use cases. A composition root creates them. */
export interface ConversationDependencies {
  threads: ThreadStore;
  assistants: AssistantStore;
  crons: CronStore;
  /** The heads of threads. A new fence in a head stops the steps of an ended conversation. */
  heads: HeadStore;
  events: EventLog;
  states: StateAccess;
  graphs: GraphDescriptions;
  conversations: Conversations;
  schedules: Schedules;
  deriveId: DeriveId;
  /**
   * The stored webhook deliveries. The end of a lost run adds one. `recall` removes those of a
   * thread that is deleted.
   */
  deliveries: Pick<DeliveryStore, 'put' | 'recall'>;
  /**
   * Throws for a URL that must not receive requests. Default: accepts every URL. The worker checks
   * the URL in any case before it sends a request.
   */
  checkWebhook?: (url: string) => void;
  /** True if workers can create feedback URLs. Default: false. */
  hasFeedback?: boolean;
  /** Receives errors that no client has caused. `where` says what failed. */
  report?: (error: unknown, where: string) => void;
  /** Aborted when the process stops. */
  shutdown?: AbortSignal;
  options?: Partial<ConversationOptions>;
}

/**
 * The first argument of every use case: the dependencies of the use cases, with every default
 * filled in.
 */
export type ConversationContext = Omit<Required<ConversationDependencies>, 'options'> & {
  options: ConversationOptions;
};

export function completeConversations(deps: ConversationDependencies): ConversationContext {
  return {
    ...deps,
    checkWebhook: deps.checkWebhook ?? (() => undefined),
    hasFeedback: deps.hasFeedback ?? false,
    report: deps.report ?? (() => undefined),
    shutdown: deps.shutdown ?? new AbortController().signal,
    options: { ...DEFAULT_CONVERSATION_OPTIONS, ...deps.options },
  };
}
