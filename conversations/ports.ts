import type { Caller, Cron, OverlapPolicy } from '../protocol/index.js';
import type {
  CancelRuns,
  Cancelled,
  ConversationView,
  EditedState,
  InjectMessage,
  Injected,
  ResumeConversation,
  Resumed,
  SubmitRun,
  Submitted,
} from '../workflows/contract.js';

/**
 * Commands to the conversation workflows. Every call has a timeout; after it the error is
 * `unavailable`.
 */
export interface Conversations {
  /**
   * Submits a run. Starts the conversation if it does not exist. Idempotent by run id. Errors:
   * `conflict`, `queue_full`, `thread_closed`, `invalid_argument` (refused); `unavailable` (the run
   * may have been accepted).
   */
  submit(caller: Caller, threadId: string, run: SubmitRun, options?: { ephemeral?: boolean }): Promise<Submitted>;
  /**
   * Cancels runs. Returns when they are marked, not when they have stopped. Errors: `not_found`
   * without a conversation.
   */
  cancel(caller: Caller, threadId: string, runs: CancelRuns): Promise<Cancelled>;
  /**
   * Answers an interrupt. Errors: `conflict` if it is not open; `not_found` without a conversation.
   */
  resume(caller: Caller, threadId: string, answer: ResumeConversation): Promise<Resumed>;
  /**
   * Passes a message to the working run. Idempotent by message id. Errors: `conflict` if no run
   * works or waits, `queue_full`, `thread_closed`; `not_found` without a conversation;
   * `unavailable` (it may have been accepted).
   */
  inject(caller: Caller, threadId: string, message: InjectMessage): Promise<Injected>;
  /**
   * Notifies the conversation of an edit of the state. Does nothing without a conversation. Errors:
   * `unavailable`.
   */
  edited(caller: Caller, threadId: string, edit: EditedState): Promise<void>;
  /** Ends the conversation, and resolves when it has ended. Idempotent. */
  close(caller: Caller, threadId: string, timeoutMs: number): Promise<void>;
  /** Errors: `not_found` without a conversation. */
  view(caller: Caller, threadId: string): Promise<ConversationView>;
}

export interface BackfillPeriod {
  start: Date;
  end: Date;
  /** Default: the policy of the cron. */
  overlap?: OverlapPolicy;
}

/** The Schedules that fire crons. Errors of every call: `unavailable`. */
export interface Schedules {
  /**
   * Creates or updates the Schedule of a cron. Returns its next firing time. Idempotent. Errors:
   * `invalid_argument`.
   */
  put(caller: Caller, cron: Cron): Promise<Date | undefined>;
  /**
   * Returns the next firing time. Undefined if the cron is disabled, has ended, or has no Schedule.
   */
  next(caller: Caller, cron: Cron): Promise<Date | undefined>;
  /** Idempotent. */
  remove(caller: Caller, cronId: string): Promise<void>;
  /**
   * Fires now for every scheduled time of the period. Errors: `invalid_argument` for too many
   * times.
   */
  backfill(caller: Caller, cron: Cron, period: BackfillPeriod): Promise<void>;
}
