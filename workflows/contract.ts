/**
 * What others may know of the conversation workflow: its name, messages, and the activities it
 * calls. Plain types and names, so that clients need no workflow library.
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
 * Bounds of one conversation; part of its input so that a replay sees what the first execution saw.
 */
export interface ConversationSettings {
  /** Runs that may wait behind the current one; more are refused with `queue_full`. */
  queueLimit: number;
  /**
   * Accepted runs remembered, with their idempotency keys; older ones are found by the unique index
   * in the database.
   */
  keyWindow: number;
  /**
   * Continue as new after this many turns, whatever the server suggests; 0: only when it suggests.
   */
  maxTurns: number;
  /**
   * Go on to the next superstep in the same activity where the last took less, in ms; 0: one
   * activity a superstep.
   */
  joinQuickStepsMs: number;
}

export const DEFAULT_SETTINGS: ConversationSettings = DEFAULTS.conversation;

/**
 * Input of the workflow. Who starts it by hand may leave everything out: tenant and thread are
 * parts of the workflow id, which must be `conversation/<tenant>/<thread>`, so that a thread has
 * one workflow.
 */
export interface ConversationInput {
  tenant: string;
  threadId: string;
  settings: ConversationSettings;
  /** A stateless run's conversation completes when its queue is empty. */
  ephemeral?: boolean;
  /** Set by continue-as-new alone. */
  carried?: CarriedState;
}

/** What survives continue-as-new: ids and small values, never messages or state. */
export interface CarriedState {
  /** Ordinal of the last run taken from the queue. */
  ordinal: number;
  turns: number;
  queue: QueuedRun[];
  /** First to last; absent when there is none. */
  delayed?: DelayedRun[];
  /** Messages that no turn has taken, first to last; absent when there is none. */
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
  /** Empty until an unrecorded run is recorded. */
  graphId: string;
  /** Empty where neither the signal nor an earlier run named one; `recordRun` finds it. */
  assistantId: string;
  /**
   * Present on a run that came by signal, by `resume` or by a deadline: it has still to be recorded
   * by an activity.
   */
  unrecorded?: UnrecordedRun;
  /** The question it answers; {@link ANY_INTERRUPT} where only the run's request knows. */
  answers?: string;
  /** It was cancelled while it waited: it will be ended without a step. */
  cancelled?: CancelAction;
  /** Somebody wants to be told of its end. */
  webhook?: true;
}

/** A run whose time has not come. */
export interface DelayedRun {
  run: QueuedRun;
  /** Ms since the epoch. */
  at: number;
}

/** `answers` of a run submitted with `resumes`. */
export const ANY_INTERRUPT = '*';

/** A run that nobody has stored yet: what the workflow hands to `recordRun`. */
export interface UnrecordedRun {
  key?: string;
  assistantId?: string;
  input?: unknown;
  /**
   * An answer given by a deadline has no `value`: `recordRun` reads it in the thread's state, so
   * that no history holds it. Older histories have one, which is not used.
   */
  resume?: { interruptId?: string; value?: unknown };
  /** True for an answer given by a deadline, not by a person. */
  byDeadline?: boolean;
}

// ---- updates (requests with an answer); sent with update-with-start

export const UPDATES = {
  submit: 'submit',
  inject: 'inject',
  cancel: 'cancel',
  resume: 'resume',
  close: 'close',
} as const;

/** `submit`: enqueue a run whose record is stored already. Never waits for the turn. */
export interface SubmitRun {
  runId: string;
  graphId: string;
  assistantId: string;
  strategy: MultitaskStrategy;
  /** Idempotency key. */
  key?: string;
  /**
   * The run answers questions (its command has `resume`): refused with `conflict` while another
   * answer waits or runs.
   */
  resumes?: boolean;
  /** ISO 8601. It joins the queue then, and holds up no run that comes before. */
  notBefore?: string;
  /** Its end is told to the webhook that its record names. */
  webhook?: boolean;
}

export interface Submitted {
  runId: string;
  /**
   * 0: begins at once; n: n runs are before it. Of a delayed run: how many would be, were it due.
   */
  position: number;
  /** The same key or run came before; `runId` is that run. */
  duplicate: boolean;
}

/**
 * `inject`: a message for the turn at work, which takes it between two of its supersteps. `runId`
 * names its record, stored already: the run that the message becomes if that turn ends in success
 * without it. Refused with `conflict` where no run works or waits.
 */
export interface InjectMessage {
  runId: string;
  graphId: string;
  assistantId: string;
}

export interface Injected {
  /** The same message came before. */
  duplicate: boolean;
}

/**
 * `cancel`: stop runs, waiting or current. Answers when they are marked, not when they are stopped.
 */
export interface CancelRuns {
  runIds: string[] | 'all';
  action: CancelAction;
}

/** Those of the runs asked for that wait or run; the others have ended, or never were. */
export interface Cancelled {
  runIds: string[];
}

/**
 * `close`: refuses everything from now on, cancels the runs, waiting and current, and completes the
 * workflow when they have ended. Answers when that is decided; await the workflow's result for the
 * rest. Takes no argument.
 */
export interface Closed {
  /** Runs being cancelled. */
  runIds: string[];
}

/**
 * `resume` (update and signal): answer an open question. Without an id it answers the only one. The
 * signal also takes a bare value: `--input '"approve"'`, `--input true`.
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
 * `message`: a turn by signal. `input` is the graph's input; a string is one human message. The
 * signal may also be that bare string. A signal cannot be refused to its sender: what is wrong with
 * one, or has no room, stands in `notes` of the `state` query.
 */
export interface MessageSignal {
  input: unknown;
  /** Assistant or graph; default: the one of the last run. */
  assistantId?: string;
  key?: string;
}

/**
 * `edited`: the thread's state was edited from outside, and these questions are not asked any more.
 * Ids are of one question for ever.
 */
export interface EditedState {
  closed: string[];
  /** How the thread stands now. */
  status: 'idle' | 'interrupted';
}

// ---- queries

export const QUERIES = { state: 'state', pendingInterrupts: 'pendingInterrupts' } as const;

export interface ConversationView {
  threadId: string;
  status: ThreadStatus;
  /** Run in progress. */
  current?: { runId: string; assistantId: string; step: number; nodes: string[] };
  /** Run ids, first to last. */
  queue: string[];
  /** Runs whose time has not come, first to last; `at` as ISO 8601. Absent when there is none. */
  delayed?: { runId: string; at: string }[];
  /**
   * Messages for the turn at work that no turn has taken, first to last. Absent when there is none.
   */
  injected?: string[];
  interrupts: PendingInterrupt[];
  /** Turns since the conversation began. */
  turns: number;
  /** How the last run ended. */
  last?: EndedRun;
  /** True from `close` on: no run is taken any more. */
  closed: boolean;
  /** What became of signals that could not be followed, oldest first; the last few. */
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

// ---- search attributes (Keyword), registered by the server's start

/**
 * `status` says who is needed: `interrupted` (a person), `error` (the last run failed), else
 * `idle`. It stays `idle` while a run works: `busy` would cost every turn two events. Kept up by
 * the workflow where the starter set `tenant`.
 */
export const SEARCH_ATTRIBUTES = {
  tenant: 'ColloquyTenant',
  assistant: 'ColloquyAssistant',
  status: 'ColloquyStatus',
} as const;

// ---- starting

/**
 * What a Temporal client is given to start a conversation (with an update or a signal); the task
 * queue is the caller's.
 */
export interface ConversationStart {
  workflowId: string;
  args: [ConversationInput];
  staticSummary: string;
  typedSearchAttributes: { key: { name: string; type: 'KEYWORD' }; value: string }[];
}

/** Start options of a conversation whose first run is of this assistant. */
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
 * Temporal refuses a summary of more than 400 bytes as JSON, and with it the whole workflow task.
 */
const SUMMARY_CHARACTERS = 90;

/** A text as a Temporal summary: one line, short in bytes too. */
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
   * Ordinal of the run in its thread: first part of the fence. It grows with every run; a thread's
   * first execution starts at the server's clock in seconds, so that one that follows an execution
   * which completed or was terminated is higher.
   */
  ordinal: number;
  /** Ordinal of this activity in the run, from 1. */
  step: number;
  joinQuickStepsMs: number;
  /** Options this activity runs under; the step stops before nodes that want others. */
  options: StepOptions;
  /**
   * Messages to take at the first boundary that allows it, first to last, by the ids of their
   * records. Absent when there is none.
   */
  injections?: string[];
  cursor?: Cursor;
}

/**
 * `continue`: another step is due. `success`, `interrupted`: the run has ended and its records and
 * last event are written. `skipped`: the run had ended before (or its record is gone); nothing was
 * done.
 */
export interface StepOutcome {
  status: 'continue' | 'success' | 'interrupted' | 'skipped';
  /** Finished nodes in order, with tool names: `tools (search_candidates)`. */
  nodes: string[];
  /** Nodes that are due next. */
  next: string[];
  /** Options the next step must run under. */
  nextOptions?: StepOptions;
  interrupts?: PendingInterrupt[];
  /** Those of the task's messages that are in the state, or gone. */
  injected?: string[];
  cursor?: Cursor;
}

/**
 * `endRun`: end a run from outside of its steps (cancelled, failed for good). Idempotent by run id.
 * A run that was cancelled while it waited may be ended between two steps of the current one, under
 * the current one's ordinal: other runs of the thread are active then.
 */
export interface EndRunTask {
  tenant: string;
  threadId: string;
  runId: string;
  ordinal: number;
  /** A fence step above every activity before it. */
  step: number;
  status: EndedRunStatus;
  error?: RunError;
  /** Also takes the run's steps and record away. */
  rollback?: boolean;
  /** Messages for the run that go with it, by the ids of their records. */
  dropped?: string[];
}

/** Where a thread stands after a run was ended from outside. */
export interface Standing {
  cursor: Cursor;
  threadStatus: ThreadStatus;
  /** Questions that are open, such as one whose answer was cancelled. */
  interrupts: PendingInterrupt[];
}

export interface RecordRunTask {
  tenant: string;
  threadId: string;
  runId: string;
  /** Assistant of the last run, used when the signal names none. */
  assistantId?: string;
  run: UnrecordedRun;
}

/**
 * `runId` differs from the task's when the key already has a run. `refused` says why nothing was
 * recorded.
 */
export type RecordedRun =
  | { runId: string; graphId: string; assistantId: string; duplicate: boolean }
  | { refused: string };

export interface ConversationActivities {
  runStep(task: StepTask): Promise<StepOutcome>;
  /** Answers where the thread stands then, so that the next run needs no read. */
  endRun(task: EndRunTask): Promise<Standing>;
  recordRun(task: RecordRunTask): Promise<RecordedRun>;
}

/**
 * A run that has ended and whose webhook is due. Input of the webhook workflow, id
 * `webhook/<tenant>/<run>`, and of its activity.
 */
export interface WebhookTask {
  tenant: string;
  threadId: string;
  runId: string;
}

export interface WebhookActivities {
  /**
   * Posts what was kept at the run's end. Fails until the receiver has taken it; for good when it
   * may not be reached or is gone for good. False: there was nothing to send, or it has been sent
   * before.
   */
  deliverWebhook(task: WebhookTask): Promise<boolean>;
}

/**
 * Failure types of activities (`ApplicationFailure.type`) that are not retried; everything else is,
 * by the server. `GraphFailed` (of `runStep`) carries a {@link RunError} as its only detail and
 * ends the run. `fence_lost` (of `runStep` and `endRun`) means that a higher fence stands, its only
 * detail: at the first step of a run the workflow takes a higher ordinal and tries again.
 */
export const FAILURES = { graph: 'GraphFailed', fence: 'fence_lost' } as const;

// ---- crons

/**
 * Started by the Schedule of a cron, once for each firing: has the run made, and lasts as long as
 * it, so that the Schedule can tell overlaps.
 */
export const CRON_WORKFLOW = 'cron';

export interface CronInput {
  tenant: string;
  cronId: string;
}

/** The run of a firing, or why there is none. */
export type FiredRun = { threadId: string; runId: string } | { refused: string };

/** Result of the workflow. `gone`: the run was deleted before it ended. */
export type CronOutcome = FiredRun & { status?: EndedRunStatus | 'gone' };

export interface FireCronTask extends CronInput {
  /**
   * ISO 8601, the time that the Schedule meant: with the cron's id it is the idempotency key of the
   * run.
   */
  scheduledAt: string;
}

export interface ScheduledRunTask {
  tenant: string;
  threadId: string;
  runId: string;
}

export interface CronActivities {
  /** Takes a run in as the cron says now. Idempotent by cron and scheduled time. */
  fireCron(task: FireCronTask): Promise<FiredRun>;
  /**
   * Fails until the run has ended, and is tried again by the server, which costs no history and
   * holds no worker.
   */
  awaitScheduledRun(task: ScheduledRunTask): Promise<EndedRunStatus | 'gone'>;
  /** Cancels the run, if it has not ended. Idempotent. */
  cancelScheduledRun(task: ScheduledRunTask): Promise<void>;
}
