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

/** Commands to the conversation workflows. Every wait has an end: `unavailable` when no answer came in time. */
export interface Conversations {
  /**
   * Starts the conversation where there is none. Idempotent by run id.
   * Errors: `conflict`, `queue_full`, `thread_closed`, `invalid_argument` (refused); `unavailable` (it may have been accepted).
   */
  submit(caller: Caller, threadId: string, run: SubmitRun, options?: { ephemeral?: boolean }): Promise<Submitted>;
  /** Answers when the runs are marked, not when they are stopped. Errors: `not_found` without a conversation. */
  cancel(caller: Caller, threadId: string, runs: CancelRuns): Promise<Cancelled>;
  /** Errors: `conflict` when there is no such question; `not_found` without a conversation. */
  resume(caller: Caller, threadId: string, answer: ResumeConversation): Promise<Resumed>;
  /**
   * Hands a message over to the turn at work. Idempotent by the message's id. Errors: `conflict` where no run works or waits, `queue_full`,
   * `thread_closed`; `not_found` without a conversation; `unavailable` (it may have been accepted).
   */
  inject(caller: Caller, threadId: string, message: InjectMessage): Promise<Injected>;
  /** The state was edited from outside. A thread without a conversation has nobody to tell. Errors: `unavailable`. */
  edited(caller: Caller, threadId: string, edit: EditedState): Promise<void>;
  /** Ends the conversation, resolves when it has ended. Idempotent. */
  close(caller: Caller, threadId: string, timeoutMs: number): Promise<void>;
  /** Errors: `not_found` without a conversation. */
  view(caller: Caller, threadId: string): Promise<ConversationView>;
}

export interface BackfillPeriod {
  start: Date;
  end: Date;
  /** Default: the cron's own. */
  overlap?: OverlapPolicy;
}

/** The Schedules that fire crons. Errors of every call: `unavailable`. */
export interface Schedules {
  /** Creates or changes the Schedule of a cron. Returns the time of its next firing. Idempotent. Errors: `invalid_argument`. */
  put(caller: Caller, cron: Cron): Promise<Date | undefined>;
  /** The time of the next firing. Undefined if the cron is disabled, has ended, or has no Schedule. */
  next(caller: Caller, cron: Cron): Promise<Date | undefined>;
  /** Idempotent. */
  remove(caller: Caller, cronId: string): Promise<void>;
  /** Fires now for every scheduled time of the period. Errors: `invalid_argument` if there are too many. */
  backfill(caller: Caller, cron: Cron, period: BackfillPeriod): Promise<void>;
}
