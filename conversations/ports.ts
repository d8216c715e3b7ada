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
 * The execution of a conversation workflow, as Temporal's server describes it. No worker is asked.
 */
export type ConversationExecution = OpenExecution | EndedExecution;

export interface OpenExecution {
  isOpen: true;
  /** Temporal's id of this execution. A reset and a continue-as-new begin another execution. */
  executionId: string;
  /**
   * Whether the workflow still has to handle an event, or an activity is ending a run. In both
   * cases a run that {@link Conversations.view} does not show may still belong to the workflow.
   */
  isSettling: boolean;
}

export interface EndedExecution {
  isOpen: false;
  /** `unknown`: Temporal has no such workflow. It was deleted, or it never existed. */
  ending: 'completed' | 'failed' | 'cancelled' | 'terminated' | 'timed_out' | 'unknown';
  /** The reason of a termination, or the message of a failure. */
  reason?: string;
  /** Time of the end, by the clock of Temporal's server. Absent if the workflow is unknown. */
  endedAt?: Date;
}

/**
 * Sends commands and queries to the conversation workflows. Every call has a timeout, after which
 * it throws `unavailable`.
 */
export interface Conversations {
  /**
   * Submits a run. Starts the conversation if it does not exist. Idempotent by run id. Errors:
   * `conflict`, `queue_full`, `thread_closed`, `invalid_argument` if the run is refused;
   * `unavailable`, after which the run may still have been accepted.
   */
  submit(caller: Caller, threadId: string, run: SubmitRun, options?: { ephemeral?: boolean }): Promise<Submitted>;
  /**
   * Marks runs as cancelled. They stop later, after this call has resolved. Errors:
   * `not_found` if no conversation is running.
   */
  cancel(caller: Caller, threadId: string, runs: CancelRuns): Promise<Cancelled>;
  /**
   * Starts a run that answers an interrupt. Errors: `conflict` if the interrupt is not open;
   * `not_found` if no conversation is running.
   */
  resume(caller: Caller, threadId: string, answer: ResumeConversation): Promise<Resumed>;
  /**
   * Passes a stored chat message to the active run, which is the run whose steps are being
   * executed. If no run is active yet, the first queued run gets the message. Idempotent by the
   * message's `runId`. Errors: `conflict` if no run is active or queued; `queue_full`;
   * `thread_closed`; `not_found` if no conversation is running; `unavailable`, after which the
   * message may still have been accepted.
   */
  inject(caller: Caller, threadId: string, message: InjectMessage): Promise<Injected>;
  /**
   * Notifies the conversation of an edit of the state. Does nothing if no conversation is running.
   * Errors: `unavailable`.
   */
  edited(caller: Caller, threadId: string, edit: EditedState): Promise<void>;
  /**
   * Cancels the runs of the conversation, and resolves when the conversation has ended. Throws
   * `unavailable` if the conversation has not ended after `timeoutMs`. Idempotent.
   */
  close(caller: Caller, threadId: string, timeoutMs: number): Promise<void>;
  /**
   * Returns the runs and open questions of a conversation, as its workflow knows them. Errors:
   * `not_found` if no conversation is running.
   */
  view(caller: Caller, threadId: string): Promise<ConversationView>;
  /**
   * Returns whether the workflow of a conversation is open, and how it has ended if it is not. Asks
   * only Temporal's server, so it also answers while no worker runs.
   */
  describe(caller: Caller, threadId: string): Promise<ConversationExecution>;
  /**
   * Starts the delivery of the webhook of an ended run. The body must be stored already. Does
   * nothing if the delivery was started before.
   */
  startWebhook(caller: Caller, threadId: string, runId: string): Promise<void>;
}

export interface BackfillPeriod {
  start: Date;
  end: Date;
  /**
   * What happens to a firing if an earlier run of the cron is still active. Default: the policy of
   * the cron.
   */
  overlap?: OverlapPolicy;
}

/** Temporal's Schedules, each of which fires one cron. Errors of every call: `unavailable`. */
export interface Schedules {
  /**
   * Creates or updates the Schedule of a cron. Returns the next firing time of the cron, if it has
   * one. Idempotent. Errors: `invalid_argument` if the Schedule is not accepted.
   */
  put(caller: Caller, cron: Cron): Promise<Date | undefined>;
  /**
   * Returns the next firing time of a cron. Returns undefined if the cron is disabled, has ended,
   * or has no Schedule.
   */
  next(caller: Caller, cron: Cron): Promise<Date | undefined>;
  /** Deletes the Schedule of a cron. Idempotent. */
  remove(caller: Caller, cronId: string): Promise<void>;
  /**
   * Fires the cron now, once for every scheduled time of the period. Errors: `invalid_argument` if
   * the period has too many scheduled times.
   */
  backfill(caller: Caller, cron: Cron, period: BackfillPeriod): Promise<void>;
}
