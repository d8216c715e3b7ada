/**
 * The contract of the workflows: their names, their messages and the activities that they call.
 * Plain types and names, so that clients need no workflow library.
 */
import { DEFAULTS, conversationId } from '../protocol/index.js';
import type {
  CancelAction,
  Cursor,
  EndedRunStatus,
  MultitaskStrategy,
  PendingInterrupt,
  RunError,
  StepOptions,
  ThreadStatus,
} from '../protocol/index.js';

export { DEFAULT_STEP_OPTIONS } from '../protocol/index.js';
export type { Cursor, PendingInterrupt, StepOptions } from '../protocol/index.js';

export const CONVERSATION_WORKFLOW = 'conversation';
export const WEBHOOK_WORKFLOW = 'webhook';

/**
 * Limits of one conversation. They are part of its input, so that a replay uses the same values as
 * the first execution.
 */
export interface ConversationSettings {
  /**
   * Maximum number of runs that wait while another one is current. Further runs are refused with
   * `queue_full`.
   */
  queueLimit: number;
  /**
   * Number of accepted runs whose ids and idempotency keys the workflow keeps. The unique index in
   * the database detects duplicates of older runs.
   */
  keyWindow: number;
  /**
   * Continue as new after this many turns, or earlier if the server suggests it. 0: only if the
   * server suggests it.
   */
  maxTurns: number;
  /**
   * Limit in ms: if a superstep took less time, the next one runs in the same activity. 0: one
   * activity for each superstep.
   */
  joinQuickStepsMs: number;
}

export const DEFAULT_SETTINGS: ConversationSettings = DEFAULTS.conversation;

/**
 * Input of the workflow. A person who starts the workflow may leave out all of it, because the
 * workflow id contains tenant and thread. The id must be `conversation/<tenant>/<thread>`, so that
 * a thread has only one workflow.
 */
export interface ConversationInput {
  tenant: string;
  threadId: string;
  settings: ConversationSettings;
  /**
   * Whether the conversation belongs to a stateless run. It then completes when its queue is empty.
   */
  ephemeral?: boolean;
  /** Set by continue-as-new only. */
  carried?: CarriedState;
}

/** State that continue-as-new carries: ids and small values, never messages or graph state. */
export interface CarriedState {
  /** Ordinal of the last run taken from the queue. */
  ordinal: number;
  turns: number;
  queue: QueuedRun[];
  /** Earliest due time first. Absent if empty. */
  delayed?: DelayedRun[];
  /** Messages that no turn has taken yet, oldest first. Absent if empty. */
  injections?: QueuedRun[];
  /** Accepted runs with their idempotency key, oldest first. */
  admitted: [runId: string, key?: string][];
  interrupts: PendingInterrupt[];
  status: Exclude<ThreadStatus, 'busy'>;
  cursor?: Cursor;
  assistantId?: string;
  last?: EndedRun;
  notes?: Note[];
}

/** One accepted run, waiting or current. */
export interface QueuedRun {
  runId: string;
  /** Empty until `recordRun` has resolved it. */
  graphId: string;
  /**
   * Empty if neither the signal nor an earlier run named an assistant. Then `recordRun` resolves
   * it.
   */
  assistantId: string;
  /**
   * Set on a run that was created by a signal, by `resume` or by a deadline. Removed when an
   * activity has recorded the run.
   */
  unrecorded?: UnrecordedRun;
  /**
   * Id of the question that the run answers. {@link ANY_INTERRUPT} if only the run's request
   * contains that id.
   */
  answers?: string;
  /** Set when the run is cancelled. A waiting run then ends without a step. */
  cancelled?: CancelAction;
  /** The run's record has a webhook, to which the end of the run is sent. */
  webhook?: true;
}

/** An accepted run that is not due yet. */
export interface DelayedRun {
  run: QueuedRun;
  /** Due time in ms since the epoch. */
  at: number;
}

/** Value of `answers` for a run that was submitted with `resumes`. */
export const ANY_INTERRUPT = '*';

/** A run without a record: the data that `recordRun` needs to create one. */
export interface UnrecordedRun {
  key?: string;
  assistantId?: string;
  input?: unknown;
  /**
   * The answer to a question. A default answer has no `value`: `recordRun` reads the value from the
   * thread's state, so that the history does not contain it. Older histories contain a `value`,
   * which is ignored.
   */
  resume?: { interruptId?: string; value?: unknown };
  /**
   * True if the run gives a default answer at the deadline. Otherwise a person asked for the run.
   */
  byDeadline?: boolean;
}

// ---- updates (requests with a response), sent with update-with-start

export const UPDATES = {
  submit: 'submit',
  inject: 'inject',
  cancel: 'cancel',
  resume: 'resume',
  close: 'close',
} as const;

/**
 * `submit`: enqueues a run whose record is already stored. The update returns without waiting for
 * the run.
 */
export interface SubmitRun {
  runId: string;
  graphId: string;
  assistantId: string;
  strategy: MultitaskStrategy;
  /** Idempotency key. */
  key?: string;
  /**
   * Whether the run answers questions: its command has `resume`. Such a run is refused with
   * `conflict` while another answer waits or runs.
   */
  resumes?: boolean;
  /** Time in ISO 8601 at which the run joins the queue. Until then it does not delay other runs. */
  notBefore?: string;
  /** Whether the run's record has a webhook, to which the end of the run is sent. */
  webhook?: boolean;
}

export interface Submitted {
  runId: string;
  /**
   * Number of runs ahead of the run. 0: the run starts at once. For a delayed run, the number of
   * runs that would be ahead if it were due now.
   */
  position: number;
  /** Whether a run with this id or key was accepted before. `runId` is then the id of that run. */
  duplicate: boolean;
}

/**
 * `inject`: adds a message to the current turn. The turn takes the message between two supersteps.
 * `runId` is the id of the message's record, which is already stored. If the turn succeeds without
 * taking the message, the message becomes the run with this id. Refused with `conflict` if no run
 * is current or waiting.
 */
export interface InjectMessage {
  runId: string;
  graphId: string;
  assistantId: string;
}

export interface Injected {
  /** Whether the message was accepted before. */
  duplicate: boolean;
}

/**
 * `cancel`: marks waiting runs and the current run as cancelled. The update returns before these
 * runs have stopped.
 */
export interface CancelRuns {
  runIds: string[] | 'all';
  action: CancelAction;
}

/**
 * The requested runs that are waiting or current. The other requested runs have ended or do not
 * exist.
 */
export interface Cancelled {
  runIds: string[];
}

/**
 * `close`: refuses all later requests and cancels all runs. The workflow completes when these runs
 * have ended. The update returns earlier; await the workflow's result to wait for the end. Takes no
 * argument.
 */
export interface Closed {
  /** Runs that are being cancelled. */
  runIds: string[];
}

/**
 * `resume` (update and signal): answers an open question. `interruptId` may be missing if only one
 * question is open. The signal also accepts the answer alone: `--input '"approve"'`, `--input
 * true`.
 */
export interface ResumeConversation {
  interruptId?: string;
  value: unknown;
}

export interface Resumed {
  runId: string;
}

// ---- signals (for any Temporal client or the CLI)

export const SIGNALS = { message: 'message', resume: 'resume', cancel: 'cancel', edited: 'edited' } as const;

/**
 * `message`: a signal that starts a turn. `input` is the graph's input; a string becomes one human
 * message. The signal's argument may also be this string alone. A signal has no response, so the
 * reason for a refused signal is added to the `notes` of the `state` query.
 */
export interface MessageSignal {
  input: unknown;
  /** Assistant or graph. Default: the assistant of the last run. */
  assistantId?: string;
  key?: string;
}

/**
 * `edited`: the thread's state was edited outside of a run. The edit closed the questions in
 * `closed`. The id of a closed question is never used for another question.
 */
export interface EditedState {
  /** Ids of the closed questions. */
  closed: string[];
  /** The thread's status after the edit. */
  status: 'idle' | 'interrupted';
}

// ---- queries

export const QUERIES = { state: 'state', pendingInterrupts: 'pendingInterrupts' } as const;

export interface ConversationView {
  threadId: string;
  status: ThreadStatus;
  /** The current run. */
  current?: { runId: string; assistantId: string; step: number; nodes: string[] };
  /** Ids of the waiting runs, next first. */
  queue: string[];
  /** Delayed runs, earliest due time first; `at` in ISO 8601. Absent if empty. */
  delayed?: { runId: string; at: string }[];
  /** Ids of injected messages that no turn has taken yet, oldest first. Absent if empty. */
  injected?: string[];
  interrupts: PendingInterrupt[];
  /** Number of turns since the conversation started. */
  turns: number;
  /** How the last run ended. */
  last?: EndedRun;
  /** True after `close`: no run is accepted any more. */
  closed: boolean;
  /**
   * The most recent notes, oldest first. A note reports a refused signal, or another failure that
   * has no caller.
   */
  notes: Note[];
}

export interface EndedRun {
  runId: string;
  status: EndedRunStatus;
  error?: RunError;
}

export interface Note {
  /** ISO 8601. */
  at: string;
  text: string;
}

// ---- search attributes (type Keyword), registered when the server starts

/**
 * `status` is `interrupted` (a person must answer), `error` (the last run failed) or `idle`. It
 * stays `idle` during a run, because `busy` would cost two history events a turn. The workflow
 * updates the attributes only if the caller that started it set the attribute `tenant`.
 */
export const SEARCH_ATTRIBUTES = {
  tenant: 'ColloquyTenant',
  assistant: 'ColloquyAssistant',
  status: 'ColloquyStatus',
} as const;

// ---- starting

/**
 * Start options of a conversation for a Temporal client. The client adds the task queue, and an
 * update or a signal.
 */
export interface ConversationStart {
  workflowId: string;
  args: [ConversationInput];
  staticSummary: string;
  typedSearchAttributes: { key: { name: string; type: 'KEYWORD' }; value: string }[];
}

/** Start options of a conversation whose first run uses this assistant. */
export function conversationStart(
  input: ConversationInput,
  assistant: { assistantId: string; name?: string },
): ConversationStart {
  const keyword = (name: string, value: string) => ({ key: { name, type: 'KEYWORD' as const }, value });
  return {
    workflowId: conversationId(input.tenant, input.threadId),
    args: [input],
    staticSummary: oneLine(`conversation with ${assistant.name ?? assistant.assistantId}`),
    typedSearchAttributes: [
      keyword(SEARCH_ATTRIBUTES.tenant, input.tenant),
      keyword(SEARCH_ATTRIBUTES.assistant, assistant.assistantId),
      keyword(SEARCH_ATTRIBUTES.status, 'idle'),
    ],
  };
}

/**
 * Longest summary of Temporal, in characters. If a summary has more than 400 bytes as JSON,
 * Temporal refuses it and the whole workflow task fails. A character may take four bytes.
 */
const SUMMARY_CHARACTERS = 90;

/** Shortens a text to one line that fits a Temporal summary. */
export function oneLine(text: string): string {
  const line = text.replace(/[\u0000-\u001f\u007f-\u009f\s]+/g, ' ').trim();
  return line.length <= SUMMARY_CHARACTERS ? line : `${line.slice(0, SUMMARY_CHARACTERS - 1)}…`;
}

// ---- activities

export interface StepTask {
  tenant: string;
  threadId: string;
  runId: string;
  graphId: string;
  /**
   * Ordinal of the run in its thread, the first part of the fence. It grows with every run. The
   * first ordinal of an execution without carried state is the server's time in seconds. It is
   * therefore higher than all ordinals of an earlier execution.
   */
  ordinal: number;
  /** Ordinal of this activity in the run, from 1. */
  step: number;
  joinQuickStepsMs: number;
  /** Activity options of this step. The step stops before nodes that need other options. */
  options: StepOptions;
  /**
   * Ids of the records of injected messages, oldest first. The step adds them to the state at the
   * first possible superstep boundary. Absent if empty.
   */
  injections?: string[];
  cursor?: Cursor;
}

/**
 * `continue`: another step is due. `success`, `interrupted`: the run has ended; its record and its
 * last event are written. `skipped`: nothing was done, because the run had already ended or its
 * record does not exist.
 */
export interface StepOutcome {
  status: 'continue' | 'success' | 'interrupted' | 'skipped';
  /** Finished nodes in order, with tool names: `tools (search_candidates)`. */
  nodes: string[];
  /** Nodes that run next. */
  next: string[];
  /** Activity options that the next step needs. */
  nextOptions?: StepOptions;
  interrupts?: PendingInterrupt[];
  /**
   * Ids of those messages of the task that are now in the state, or whose records do not exist any
   * more.
   */
  injected?: string[];
  cursor?: Cursor;
}

/**
 * `endRun`: ends a run outside of its steps, because it was cancelled or failed permanently.
 * Idempotent by run id. A run that was cancelled while it waited may be ended between two steps of
 * the current run, with the current run's ordinal.
 */
export interface EndRunTask {
  tenant: string;
  threadId: string;
  runId: string;
  ordinal: number;
  /**
   * Step number of the fence. Higher than the step number of every earlier activity with this
   * ordinal.
   */
  step: number;
  status: EndedRunStatus;
  error?: RunError;
  /** Whether the run's checkpoints and its record are deleted too. */
  rollback?: boolean;
  /** Ids of the records of injected messages that are deleted with the run. */
  dropped?: string[];
}

/** State of a thread after `endRun`. */
export interface Standing {
  cursor: Cursor;
  threadStatus: ThreadStatus;
  /** Open questions, for example a question whose answer was cancelled. */
  interrupts: PendingInterrupt[];
}

export interface RecordRunTask {
  tenant: string;
  threadId: string;
  runId: string;
  /** Assistant of the last run, used if the signal names none. */
  assistantId?: string;
  run: UnrecordedRun;
}

/**
 * `runId` is the id of an earlier run if the key already belongs to that run. `refused` is the
 * reason why no run was recorded.
 */
export type RecordedRun =
  | { runId: string; graphId: string; assistantId: string; duplicate: boolean }
  | { refused: string };

export interface ConversationActivities {
  runStep(task: StepTask): Promise<StepOutcome>;
  /** Returns the thread's state, so that the next run does not need to read it. */
  endRun(task: EndRunTask): Promise<Standing>;
  recordRun(task: RecordRunTask): Promise<RecordedRun>;
}

/**
 * An ended run whose webhook is due. Input of the webhook workflow and of its activity. The
 * workflow id is `webhook/<tenant>/<run>`.
 */
export interface WebhookTask {
  tenant: string;
  threadId: string;
  runId: string;
}

export interface WebhookActivities {
  /**
   * Posts the body that was stored at the run's end. Fails if the receiver does not accept the
   * body, so that Temporal retries. The failure is permanent if the address is forbidden or the
   * receiver answers 410. Returns false if no body is stored, for example because it was posted
   * before.
   */
  deliverWebhook(task: WebhookTask): Promise<boolean>;
}

/**
 * Failure types of activities (`ApplicationFailure.type`) that Temporal does not retry; it retries
 * failures of all other types. `GraphFailed` (of `runStep`) has a {@link RunError} as its only
 * detail and ends the run. `fence_lost` (of `runStep` and `endRun`) has the higher fence as its
 * only detail. If the first step of a run fails with it, the workflow takes a higher ordinal and
 * tries again.
 */
export const FAILURES = { graph: 'GraphFailed', fence: 'fence_lost' } as const;

// ---- crons

/**
 * Name of the workflow that a cron's Schedule starts for each firing. The workflow creates the
 * firing's run and ends when the run ends, so that the Schedule can detect overlaps.
 */
export const CRON_WORKFLOW = 'cron';

export interface CronInput {
  tenant: string;
  cronId: string;
}

/** The run of a firing, or the reason why there is none. */
export type FiredRun = { threadId: string; runId: string } | { refused: string };

/** Result of the workflow. `gone`: the run was deleted before it ended. */
export type CronOutcome = FiredRun & { status?: EndedRunStatus | 'gone' };

export interface FireCronTask extends CronInput {
  /**
   * The scheduled time in ISO 8601. This time and the cron's id are the idempotency key of the run.
   */
  scheduledAt: string;
}

export interface ScheduledRunTask {
  tenant: string;
  threadId: string;
  runId: string;
}

export interface CronActivities {
  /** Submits the run that the cron's record specifies. Idempotent by cron and scheduled time. */
  fireCron(task: FireCronTask): Promise<FiredRun>;
  /**
   * Returns how the run ended, or `gone` if the run was deleted. Fails while the run has not ended,
   * so that Temporal retries. Retries add no history events, and no worker is occupied between two
   * attempts.
   */
  awaitScheduledRun(task: ScheduledRunTask): Promise<EndedRunStatus | 'gone'>;
  /** Cancels the run if it has not ended. Idempotent. */
  cancelScheduledRun(task: ScheduledRunTask): Promise<void>;
}
