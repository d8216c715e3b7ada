/**
 * What others may know of the conversation workflow: its name, messages, and the activities it calls. Plain types and names, so that
 * clients need no workflow library.
 */
import type {
  CancelAction,
  EndedRunStatus,
  Head,
  MultitaskStrategy,
  RunError,
  ThreadStatus,
} from '../protocol/index.js';

export const CONVERSATION_WORKFLOW = 'conversation';

/** Bounds of one conversation; part of its input so that a replay sees what the first execution saw. */
export interface ConversationSettings {
  /** Runs that may wait behind the current one; more are refused with `queue_full`. */
  queueLimit: number;
  /** Idempotency keys remembered; older ones are found by the unique index in the database. */
  keyWindow: number;
  /** Continue as new after this many turns, whatever the server suggests; 0: only when it suggests. */
  maxTurns: number;
  /** Go on to the next superstep in the same activity where the last took less, in ms; 0: one activity a superstep. */
  joinQuickStepsMs: number;
}

export const DEFAULT_SETTINGS: ConversationSettings = {
  queueLimit: 100,
  keyWindow: 500,
  maxTurns: 0,
  joinQuickStepsMs: 100,
};

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
  /** Ordinal of the last run begun. */
  ordinal: number;
  turns: number;
  queue: QueuedRun[];
  /** Idempotency keys with their run, oldest first. */
  keys: [key: string, runId: string][];
  interrupts: PendingInterrupt[];
  status: ThreadStatus;
  cursor?: Cursor;
  assistantId?: string;
}

/** One accepted run, waiting or current. */
export interface QueuedRun {
  runId: string;
  graphId: string;
  assistantId: string;
  /** Present on a run that came by signal: it has still to be recorded by an activity. */
  unrecorded?: UnrecordedRun;
}

/** A run that came by a signal: the payload the workflow hands to `recordRun`. */
export interface UnrecordedRun {
  key?: string;
  assistantId?: string;
  input?: unknown;
  resume?: { interruptId?: string; value: unknown };
  /** True for an answer given by a deadline, not by a person. */
  byDeadline?: boolean;
}

// ---- updates (requests with an answer); sent with update-with-start

export const UPDATES = { submit: 'submit', cancel: 'cancel', resume: 'resume', close: 'close' } as const;

/** `submit`: enqueue a run whose record is stored already. Never waits for the turn. */
export interface SubmitRun {
  runId: string;
  graphId: string;
  assistantId: string;
  strategy: MultitaskStrategy;
  /** Idempotency key. */
  key?: string;
  /** The run answers questions: it needs a waiting interrupt unless something is queued. */
  resumes?: boolean;
}

export interface Submitted {
  runId: string;
  /** 0: begins at once; n: n runs are before it. */
  position: number;
  /** The same key or run came before; `runId` is that run. */
  duplicate: boolean;
}

/** `cancel`: stop runs, waiting or current. Answers when they are marked, not when they are stopped. */
export interface CancelRuns {
  runIds: string[] | 'all';
  action: CancelAction;
}

export interface Cancelled {
  runIds: string[];
}

/** `resume` (update and signal): answer a question. Without an id it answers the only open one. */
export interface ResumeConversation {
  interruptId?: string;
  value: unknown;
}

export interface Resumed {
  runId: string;
}

// ---- signals (for any Temporal client or the CLI)

export const SIGNALS = { message: 'message', resume: 'resume', cancel: 'cancel' } as const;

/** `message`: a turn by signal. `input` is the graph's input; a bare string is taken as one human message. */
export interface MessageSignal {
  input: unknown;
  /** Assistant or graph; default: the one of the last run. */
  assistantId?: string;
  key?: string;
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
  interrupts: PendingInterrupt[];
  /** Turns since the conversation began. */
  turns: number;
  /** How the last run ended. */
  last?: { runId: string; status: EndedRunStatus; error?: RunError };
}

/** A question to a person. */
export interface PendingInterrupt {
  id: string;
  node: string;
  /** Start of the question as text, at most 500 characters. */
  preview: string;
  /** ISO 8601; the default answer is given then. */
  deadline?: string;
  /** Answer given at the deadline. */
  defaultAnswer?: unknown;
}

// ---- search attributes (Keyword), registered by the server's start

export const SEARCH_ATTRIBUTES = { tenant: 'ColloquyTenant', assistant: 'ColloquyAssistant', status: 'ColloquyStatus' } as const;

// ---- activities

/** Where thread and log stand after a step: lets the next one skip the reads. A stale one costs a retry, never correctness. */
export interface Cursor {
  head: Head;
  /** Offset of the thread's last event. */
  tail: number;
}

/** Activity options of the nodes about to run, from `metadata.temporal` of the graph's nodes. Durations in ms. */
export interface StepOptions {
  startToCloseTimeoutMs: number;
  heartbeatTimeoutMs: number;
  /** Attempts for errors that the node throws; failures of the infrastructure are always retried. */
  maximumAttempts: number;
  initialIntervalMs: number;
  backoffCoefficient: number;
  maximumIntervalMs: number;
  taskQueue?: string;
}

export const DEFAULT_STEP_OPTIONS: StepOptions = {
  startToCloseTimeoutMs: 600_000,
  heartbeatTimeoutMs: 10_000,
  maximumAttempts: 5,
  initialIntervalMs: 1_000,
  backoffCoefficient: 2,
  maximumIntervalMs: 60_000,
};

export interface StepTask {
  tenant: string;
  threadId: string;
  runId: string;
  graphId: string;
  /** Ordinal of the run in its thread: first part of the fence. */
  ordinal: number;
  /** Ordinal of this activity in the run, from 1. */
  step: number;
  joinQuickStepsMs: number;
  /** Options this activity runs under; the step stops before nodes that want others. */
  options: StepOptions;
  cursor?: Cursor;
}

/**
 * `continue`: another step is due. `success`, `interrupted`: the run has ended and its records and last event are written.
 * `skipped`: the run had ended before (or its record is gone); nothing was done.
 */
export interface StepOutcome {
  status: 'continue' | 'success' | 'interrupted' | 'skipped';
  /** Nodes that ran, in order of completion, with tool names: `tools (search_candidates)`. */
  nodes: string[];
  /** Nodes that are due next. */
  next: string[];
  /** Options the next step must run under. */
  nextOptions?: StepOptions;
  interrupts?: PendingInterrupt[];
  cursor?: Cursor;
}

/** `endRun`: end a run from outside of its steps (cancelled, failed for good). Idempotent by run id. */
export interface EndRunTask {
  tenant: string;
  threadId: string;
  runId: string;
  ordinal: number;
  /** A fence step above every step activity of the run. */
  step: number;
  status: EndedRunStatus;
  error?: RunError;
  /** Also takes the run's steps and record away. */
  rollback?: boolean;
}

export interface RecordRunTask {
  tenant: string;
  threadId: string;
  runId: string;
  /** Assistant of the last run, used when the signal names none. */
  assistantId?: string;
  run: UnrecordedRun;
}

/** `runId` differs from the task's when the key already has a run. `refused` says why nothing was recorded. */
export type RecordedRun =
  | { runId: string; graphId: string; assistantId: string; duplicate: boolean }
  | { refused: string };

export interface ConversationActivities {
  runStep(task: StepTask): Promise<StepOutcome>;
  /** Answers where the thread stands then, so that the next run needs no read. */
  endRun(task: EndRunTask): Promise<{ cursor: Cursor; threadStatus: ThreadStatus }>;
  recordRun(task: RecordRunTask): Promise<RecordedRun>;
}

/**
 * Failure types that `runStep` throws (`ApplicationFailure.type`). `GraphFailed` carries a {@link RunError} as its only detail and is not
 * retried; everything else is retried by the server.
 */
export const FAILURES = { graph: 'GraphFailed' } as const;

/** Rejections of updates are application failures whose type is a code of ours. */
export type RejectionCode = 'conflict' | 'queue_full' | 'thread_closed' | 'invalid_argument';
