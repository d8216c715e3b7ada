/**
 * The contract of the workflows: their names, their updates, signals and queries, and the
 * activities that they call. This file needs no workflow library, so that clients can import it.
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
 * Limits of one conversation. They are part of the workflow's input, so that a workflow replay uses
 * the same values as the first execution.
 */
export interface ConversationSettings {
  /**
   * Maximum number of runs that wait behind the current run. Further runs are refused with
   * `queue_full`. For a run with the strategy `interrupt` or `rollback`, the maximum is twice as
   * high. Delayed runs and injected messages are counted separately, each with the same maximum.
   */
  queueLimit: number;
  /**
   * Number of accepted runs whose ids and idempotency keys the workflow keeps to detect duplicates.
   * The unique index in the database detects duplicates of older runs.
   */
  keyWindow: number;
  /**
   * Number of turns after which the workflow continues as new. A turn is a run that has started.
   * The workflow continues as new earlier if Temporal's server suggests it. With 0, only the
   * suggestion of the server counts.
   */
  maxTurns: number;
  /**
   * Number of steps after which the workflow continues as new, even between two steps of one run.
   * The workflow continues as new earlier if Temporal's server suggests it. With 0, only the
   * suggestion of the server counts.
   */
  maxSteps: number;
  /**
   * If a superstep took less than this time, in ms, the next superstep runs in the same activity.
   * 0: each superstep has its own activity.
   */
  joinQuickStepsMs: number;
}

export const DEFAULT_SETTINGS: ConversationSettings = DEFAULTS.conversation;

/**
 * Input of the conversation workflow. A person who starts the workflow may leave out the input,
 * because the workflow id contains tenant and thread. The id must be
 * `conversation/<tenant>/<thread>`, so that a thread has only one workflow.
 */
export interface ConversationInput {
  tenant: string;
  threadId: string;
  settings: ConversationSettings;
  /**
   * Whether the conversation belongs to a stateless run. If so, the workflow completes when this
   * run has ended.
   */
  ephemeral?: boolean;
  /** State of the previous workflow execution. Only continue-as-new sets it. */
  carried?: CarriedState;
}

/**
 * State that continue-as-new carries to the next workflow execution: ids and small values, never
 * chat messages or graph state.
 */
export interface CarriedState {
  /** Ordinal of the last run that was taken from the queue. */
  ordinal: number;
  turns: number;
  /** The run that goes on in the next workflow execution. Absent between two runs. */
  current?: CurrentRun;
  queue: QueuedRun[];
  /** Delayed runs, earliest due time first. Absent if empty. */
  delayed?: DelayedRun[];
  /** Injected messages that no run has taken yet, oldest first. Absent if empty. */
  injections?: QueuedRun[];
  /** Ids of accepted runs, each with its idempotency key, oldest run first. */
  admitted: [runId: string, key?: string][];
  interrupts: PendingInterrupt[];
  /**
   * Edits of the thread's state that may close questions which the current run has not asked yet.
   * Absent if empty.
   */
  edits?: EditedState[];
  status: Exclude<ThreadStatus, 'busy'>;
  cursor?: Cursor;
  assistantId?: string;
  last?: EndedRun;
  notes?: Note[];
}

/**
 * An accepted run: waiting, delayed or current. Also an injected message, which may become a run.
 */
export interface QueuedRun {
  runId: string;
  /** Empty while the run has no record: `recordRun` finds out the graph of the assistant. */
  graphId: string;
  /**
   * Id of the assistant. While the run has no record, this may also be the id of a graph. It is
   * empty if no assistant was named and no run of the conversation has started yet. `recordRun`
   * then refuses the run.
   */
  assistantId: string;
  /**
   * Set while the run has no record. A run begins without a record if a signal, the update `resume`
   * or the deadline of a question created it. Removed when `recordRun` has stored the record.
   */
  unrecorded?: UnrecordedRun;
  /**
   * Id of the question that the run answers. {@link ANY_INTERRUPT} if only the run's request says
   * which questions the run answers. Absent if the run answers no question.
   */
  answers?: string;
  /** Set when the run is cancelled. A waiting run that is cancelled ends without a step. */
  cancelled?: CancelAction;
  /** Set if the run's record has a webhook, to which the end of the run is sent. */
  webhook?: true;
}

/** The run that is being executed. */
export interface CurrentRun {
  run: QueuedRun;
  ordinal: number;
  /**
   * Number of the latest activity that writes under this run's ordinal: `runStep`, or `endRun` for
   * this run or for a cancelled run that waited. The ordinal is the first part of the fence of the
   * activity, and this number is the second part. 0 before the first step.
   */
  step: number;
  /** The nodes that run next, as the latest step has reported. Empty before the first step. */
  nodes: string[];
  /** Activity options of the next step. */
  options: StepOptions;
  /** Questions that were open before the run started. A rollback of the run opens them again. */
  questionsBefore?: PendingInterrupt[];
}

/** An accepted run that is not due yet. */
export interface DelayedRun {
  run: QueuedRun;
  /** Time at which the run joins the queue, in ms since the epoch. */
  at: number;
}

/**
 * Value of {@link QueuedRun.answers} for a run that was submitted with {@link SubmitRun.resumes}.
 * The workflow does not know which questions such a run answers: only the run's request says it.
 */
export const ANY_INTERRUPT = '*';

/** A run without a record: the data that `recordRun` needs to create one. */
export interface UnrecordedRun {
  key?: string;
  assistantId?: string;
  input?: unknown;
  /**
   * The answer to a question, if the run gives one. A default answer has no `value`: `recordRun`
   * reads the value from the thread's state, so that the workflow history does not contain it.
   * Older histories contain the `value` of a default answer, which is ignored.
   */
  resume?: { interruptId?: string; value?: unknown };
  /**
   * True if the deadline of a question created the run, which then gives the default answer.
   * Otherwise a person asked for the run.
   */
  byDeadline?: boolean;
}

// ---- updates (requests with a response)

export const UPDATES = {
  submit: 'submit',
  inject: 'inject',
  cancel: 'cancel',
  resume: 'resume',
  close: 'close',
} as const;

/**
 * `submit`: adds a run to the queue. The record of the run must be stored already. The update
 * returns without waiting for the run. Clients send it as update-with-start, so that it starts the
 * conversation if necessary.
 */
export interface SubmitRun {
  runId: string;
  graphId: string;
  assistantId: string;
  strategy: MultitaskStrategy;
  /** Idempotency key. */
  key?: string;
  /**
   * Whether the run answers questions, that is, whether its command has `resume`. Such a run is
   * refused with `conflict` if another run that answers questions is waiting, delayed or current.
   * The strategies `interrupt` and `rollback` cancel that other run instead.
   */
  resumes?: boolean;
  /**
   * Time in ISO 8601 at which the run joins the queue. Until then the run does not delay other
   * runs.
   */
  notBefore?: string;
  /** Whether the run's record has a webhook, to which the end of the run is sent. */
  webhook?: boolean;
}

export interface Submitted {
  runId: string;
  /**
   * Number of runs before this run in the queue, including the current run. Cancelled runs do not
   * count, with one exception: if this run has the strategy `interrupt` or `rollback`, it cancels
   * the current run, and the current run counts. For a delayed run, the number of runs that would
   * be before it if it were due now. For a duplicate of a run that does not wait: 0.
   */
  position: number;
  /**
   * Whether a run with this id or idempotency key was accepted before. If so, `runId` is the id of
   * that run.
   */
  duplicate: boolean;
}

/**
 * `inject`: adds a chat message to the current run, which takes the message between two supersteps.
 * `runId` is the id of the message's record, which must be stored already. If the current run
 * succeeds without taking the message, the message becomes a run with this id. Of several such
 * messages, only the oldest becomes a run, and this run takes the others. If the current run is
 * rolled back, the message is deleted. If the current run ends in any other way, the message waits
 * for the next run. The update is refused with `conflict` if no run is current or waiting.
 * Cancelled runs do not count.
 */
export interface InjectMessage {
  runId: string;
  graphId: string;
  assistantId: string;
}

export interface Injected {
  /** Whether a message with this id was accepted before. */
  duplicate: boolean;
}

/**
 * `cancel`: marks the given runs as cancelled, whether they are current, waiting or delayed. The
 * update returns before these runs have stopped.
 */
export interface CancelRuns {
  runIds: string[] | 'all';
  action: CancelAction;
}

/**
 * Result of `cancel`: the ids of the runs that are being cancelled. A given run that has ended or
 * does not exist is left out.
 */
export interface Cancelled {
  runIds: string[];
}

/**
 * `close`: cancels all runs, and refuses later runs, chat messages and answers with
 * `thread_closed`. The workflow completes when the cancelled runs have ended. The update returns
 * earlier; await the workflow's result to wait for the end. The update takes no argument.
 */
export interface Closed {
  /** Ids of the runs that are being cancelled. */
  runIds: string[];
}

/**
 * `resume` (update and signal): answers an open question. `interruptId` may be missing if only one
 * question is open. The signal's input may also be the answer alone: `--input '"approve"'`,
 * `--input true`.
 */
export interface ResumeConversation {
  interruptId?: string;
  value: unknown;
}

export interface Resumed {
  runId: string;
}

// ---- signals. A person can send message, resume and cancel with Temporal's CLI or Web UI. Colloquy
// itself sends edited.

export const SIGNALS = { message: 'message', resume: 'resume', cancel: 'cancel', edited: 'edited' } as const;

/**
 * `message`: a signal that starts a run. `input` is the input of the graph; a string becomes one
 * human message. The signal's argument may also be only this string. A signal has no response. If
 * it is refused, the reason is added to `notes`, which the query `state` returns.
 */
export interface MessageSignal {
  input: unknown;
  /** Id of an assistant or of a graph. Default: the assistant of the conversation's last run. */
  assistantId?: string;
  key?: string;
}

/**
 * `edited`: a signal that reports an edit of the thread's state from outside of a run. The edit has
 * closed the questions in `closed`: the graph does not wait for their answers any more. The signal
 * may arrive before the result of the step that asked these questions. The workflow then closes the
 * questions when it gets that result.
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
  /** Ids of injected messages that no run has taken yet, oldest first. Absent if empty. */
  injected?: string[];
  interrupts: PendingInterrupt[];
  /** Number of turns since the conversation started. A turn is a run that has started. */
  turns: number;
  /** How the last run ended. */
  last?: EndedRun;
  /** True after `close`: no run is accepted any more. */
  closed: boolean;
  /**
   * The most recent notes, oldest first. A note reports a failure that no client gets as a
   * response, such as a refused signal.
   */
  notes: Note[];
}

export interface EndedRun {
  runId: string;
  status: EndedRunStatus;
  error?: RunError;
}

export interface Note {
  /** Time of the note, in ISO 8601. */
  at: string;
  text: string;
}

// ---- search attributes (type Keyword), created when a worker or API process starts

/**
 * Names of the search attributes. `status` is `interrupted` (the graph waits, for example for an
 * answer), `error` (the last run failed) or `idle`. During a run it is `idle` too, because `busy`
 * would cost two history events for each run. The workflow updates the attributes only if the
 * client that started the workflow has set the attribute `tenant`.
 */
export const SEARCH_ATTRIBUTES = {
  tenant: 'ColloquyTenant',
  assistant: 'ColloquyAssistant',
  status: 'ColloquyStatus',
} as const;

// ---- starting

/**
 * Options with which a Temporal client starts a conversation workflow. The client adds the task
 * queue, and the update or signal that it sends together with the start.
 */
export interface ConversationStart {
  workflowId: string;
  args: [ConversationInput];
  staticSummary: string;
  typedSearchAttributes: { key: { name: string; type: 'KEYWORD' }; value: string }[];
}

/** Returns the start options of a conversation whose first run uses this assistant. */
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
 * Maximum length of the summaries that we give to Temporal, in characters. Temporal refuses a
 * summary of more than 400 bytes as JSON, and the whole workflow task then fails. A character may
 * take four bytes.
 */
const SUMMARY_CHARACTERS = 90;

/** Shortens a string to one line that is not too long for a Temporal summary. */
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
   * Ordinal of the run in its thread, which is the first part of the fence. It grows with every
   * run. Continue-as-new carries the last ordinal to the next workflow execution. An execution that
   * was started in another way counts from its start time in seconds, which is usually higher than
   * the ordinals of all earlier executions of the thread. If it is not, the activity fails with
   * `fence_lost` ({@link FAILURES}), and the workflow raises the ordinal.
   */
  ordinal: number;
  /** Number of this activity in the run, from 1. It is the second part of the fence. */
  step: number;
  joinQuickStepsMs: number;
  /**
   * Activity options of this step. The step stops before it reaches nodes that need other options.
   */
  options: StepOptions;
  /**
   * Ids of the records of injected messages, oldest first. The step adds these messages to the
   * state at the first possible boundary between two supersteps. Absent if empty.
   */
  injections?: string[];
  cursor?: Cursor;
}

/**
 * Result of a step. Status `continue`: another step is due. `success`, `interrupted`: the run has
 * ended; its record and its last event are written. `skipped`: the step did nothing, because the
 * run had already ended or its record does not exist.
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
   * Ids of the injected messages that the step has dealt with: they are in the state now, or their
   * records do not exist any more. The next step does not get them again.
   */
  injected?: string[];
  cursor?: Cursor;
}

/**
 * `endRun`: ends a run outside of its steps, because the run was cancelled or failed permanently.
 * Idempotent by run id. A run that was cancelled while it waited may be ended between two steps of
 * the current run. `ordinal` is then the ordinal of the current run.
 */
export interface EndRunTask {
  tenant: string;
  threadId: string;
  runId: string;
  ordinal: number;
  /**
   * Second part of the fence. It is higher than the `step` of every earlier activity with this
   * ordinal.
   */
  step: number;
  status: EndedRunStatus;
  error?: RunError;
  /** Whether the run's checkpoints and the run's record are deleted too. */
  rollback?: boolean;
  /** Ids of the records of injected messages that are deleted with the run. */
  dropped?: string[];
}

/** How a thread stands after `endRun`: its cursor, its status and its open questions. */
export interface Standing {
  cursor: Cursor;
  threadStatus: ThreadStatus;
  /** Open questions. A question whose answer was cancelled is open again. */
  interrupts: PendingInterrupt[];
}

export interface RecordRunTask {
  tenant: string;
  threadId: string;
  runId: string;
  /** Assistant of the last run. Used if `run` names no assistant. */
  assistantId?: string;
  run: UnrecordedRun;
}

/**
 * Result of `recordRun`. If the idempotency key already belongs to an earlier run, `runId` is the
 * id of that earlier run. `refused` is the reason why no run was recorded.
 */
export type RecordedRun =
  | { runId: string; graphId: string; assistantId: string; duplicate: boolean }
  | { refused: string };

export interface ConversationActivities {
  runStep(task: StepTask): Promise<StepOutcome>;
  /** Ends a run. Returns how the thread stands, so that the next run does not need to read it. */
  endRun(task: EndRunTask): Promise<Standing>;
  recordRun(task: RecordRunTask): Promise<RecordedRun>;
}

/**
 * Input of the webhook workflow and of its activity: an ended run whose webhook is due. The
 * workflow id is `webhook/<tenant>/<run>`.
 */
export interface WebhookTask {
  tenant: string;
  threadId: string;
  runId: string;
}

export interface WebhookActivities {
  /**
   * Posts the webhook body that was stored when the run ended. Fails if the receiver does not
   * accept the body, so that Temporal retries. The failure is permanent if the address is forbidden
   * or if the receiver answers 410. Returns false if no body is stored, for example because it was
   * posted before.
   */
  deliverWebhook(task: WebhookTask): Promise<boolean>;
}

/**
 * Failures of a conversation's activities that Temporal does not retry, by their type
 * (`ApplicationFailure.type`).
 *
 * `GraphFailed`: the graph has failed, so the run ends. `runStep` fails with this type. The only
 * detail is a {@link RunError}.
 *
 * `fence_lost`: the head of the thread stores a higher fence than the fence of the activity.
 * `runStep` and `endRun` fail with this type. The only detail is the higher fence. If the activity
 * was the first step or the `endRun` of the current run, the workflow raises the run's ordinal (the
 * first part of the fence) and calls the activity again.
 */
export const FAILURES = { graph: 'GraphFailed', fence: 'fence_lost' } as const;

// ---- crons

/**
 * Name of the workflow that a cron's Schedule starts for each firing. The workflow creates the run
 * of the firing. It ends when this run ends, so that the Schedule can detect overlaps.
 */
export const CRON_WORKFLOW = 'cron';

export interface CronInput {
  tenant: string;
  cronId: string;
}

/** The run of a firing, or the reason why there is none. */
export type FiredRun = { threadId: string; runId: string } | { refused: string };

/** Result of the cron workflow. Status `gone`: the run was deleted before it ended. */
export type CronOutcome = FiredRun & { status?: EndedRunStatus | 'gone' };

export interface FireCronTask extends CronInput {
  /**
   * The firing's scheduled time, in ISO 8601. The cron's id and this time are the idempotency key
   * of the run.
   */
  scheduledAt: string;
}

export interface ScheduledRunTask {
  tenant: string;
  threadId: string;
  runId: string;
}

export interface CronActivities {
  /** Submits the run that the cron's record describes. Idempotent by cron id and scheduled time. */
  fireCron(task: FireCronTask): Promise<FiredRun>;
  /**
   * Returns how the run ended, or `gone` if the run was deleted. Fails while the run has not ended,
   * so that Temporal calls the activity again. The retries add no events to the workflow history,
   * and no worker is occupied between two attempts.
   */
  awaitScheduledRun(task: ScheduledRunTask): Promise<EndedRunStatus | 'gone'>;
  /** Cancels the run if it has not ended. Idempotent. */
  cancelScheduledRun(task: ScheduledRunTask): Promise<void>;
}
