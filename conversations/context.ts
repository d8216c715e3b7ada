import { DEFAULTS, type Caller, type DeriveId } from '../protocol/index.js';
import type { GraphDescriptions, StateAccess } from '../steps/ports.js';
import type { EventLog } from '../streams/index.js';
import type { AssistantStore, CronStore, ThreadStore } from '../threads/index.js';
import type { Conversations, Schedules } from './ports.js';

export interface ConversationOptions {
  /** How often a follower checks whether its run has ended without an event that says so, in ms. */
  endCheckMs: number;
  /** How long a refused run is submitted again while the run that it was refused for has just ended, in ms. */
  rejectGraceMs: number;
  /** No new schedule of a cron fires more often. */
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

/** What the use cases need; a composition root makes it. */
export interface ConversationDependencies {
  threads: ThreadStore;
  assistants: AssistantStore;
  crons: CronStore;
  events: EventLog;
  states: StateAccess;
  graphs: GraphDescriptions;
  conversations: Conversations;
  schedules: Schedules;
  deriveId: DeriveId;
  /** Outgoing webhooks; those of a deleted thread are recalled. */
  deliveries: { recall(caller: Caller, threadId: string): Promise<void> };
  /** Throws for a URL that no request may be sent to. Default: accepts all; the worker refuses later. */
  checkWebhook?: (url: string) => void;
  /** Workers can make addresses for feedback. Default: false. */
  hasFeedback?: boolean;
  /** Receives errors that are not the client's. */
  report?: (error: unknown, where: string) => void;
  /** Aborted when the process stops. */
  shutdown?: AbortSignal;
  options?: Partial<ConversationOptions>;
}

/** Dependencies with every default filled in: the first argument of every use case. */
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
