import type { Origin } from './caller.js';

/** Statuses of a run in LangGraph's API. */
export const RUN_STATUSES = ['pending', 'running', 'success', 'error', 'timeout', 'interrupted'] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** Statuses that a run cannot leave. */
const ENDED_RUN_STATUSES = ['success', 'error', 'timeout', 'interrupted'] as const satisfies RunStatus[];
export type EndedRunStatus = (typeof ENDED_RUN_STATUSES)[number];

/** Returns whether the status is final. */
export function isEnded(status: string): status is EndedRunStatus {
  return (ENDED_RUN_STATUSES as readonly string[]).includes(status);
}

/** What happens to a run that is submitted while another is pending or running. */
export const MULTITASK_STRATEGIES = ['reject', 'enqueue', 'interrupt', 'rollback'] as const;
export type MultitaskStrategy = (typeof MULTITASK_STRATEGIES)[number];

/** `interrupt` stops a run and keeps its steps. `rollback` also deletes its steps and the run. */
export const CANCEL_ACTIONS = ['interrupt', 'rollback'] as const;
export type CancelAction = (typeof CANCEL_ACTIONS)[number];

export const STREAM_MODES = [
  'values',
  'updates',
  'messages',
  'messages-tuple',
  'custom',
  'tasks',
  'checkpoints',
  'debug',
  'events',
  'tools',
] as const;
export type StreamMode = (typeof STREAM_MODES)[number];

/**
 * Target of a command: a node, or a node with an input of its own. LangGraph's own `Send` names
 * this input `args`.
 */
export type RunGoto = string | { node: string; input: unknown } | { node: string; args: unknown };

/** `Command` on the wire. */
export interface RunCommand {
  resume?: unknown;
  update?: unknown;
  goto?: RunGoto | RunGoto[];
}

/** The checkpoint that a run starts from. Absent: the thread's head. */
export interface CheckpointRef {
  checkpointId?: string;
  checkpointNs?: string;
  checkpointMap?: Record<string, string>;
}

export interface RunConfig {
  tags?: string[];
  recursion_limit?: number;
  configurable?: Record<string, unknown>;
}

/**
 * Everything that a step needs to run the graph. JSON; stored with the run, never in workflow
 * history.
 */
export interface RunRequest {
  input?: unknown;
  command?: RunCommand;
  config: RunConfig;
  context?: unknown;
  checkpoint?: CheckpointRef;
  /** Modes whose events are recorded. Readers cannot get any others. */
  streamModes: StreamMode[];
  streamSubgraphs: boolean;
  /**
   * The run records the events of LangGraph's `streamEvents(…, { version: "v3" })` for protocol v2,
   * whatever `streamModes` is.
   */
  streamVersion?: 'v3';
  interruptBefore?: '*' | string[];
  interruptAfter?: '*' | string[];
  /** URL that is called at the run's end. */
  webhook?: string;
  /** Delay before the run may begin, in seconds. */
  afterSeconds?: number;
  /**
   * Keys of LangSmith feedback. The run's last event before `run.ended` has an address for each
   * key.
   */
  feedbackKeys?: string[];
}

/** Why a run ended in `error`, as shown to clients. */
export interface RunError {
  /** Name of the error: `TypeError`, `GraphRecursionError`. */
  error: string;
  message: string;
}

export interface Run {
  tenant: string;
  threadId: string;
  runId: string;
  assistantId: string;
  graphId: string;
  status: RunStatus;
  multitaskStrategy: MultitaskStrategy;
  metadata: Record<string, unknown>;
  request: RunRequest;
  /** Who asked for the run. Absent in records that are older than this field. */
  createdBy?: Origin;
  /** Idempotency key of the request that created the run. */
  key?: string;
  error?: RunError;
  /** Offset before the run's first event. Set when its first step starts. */
  afterSeq?: number;
  /** When the run's first step started. */
  startedAt?: Date;
  /** Reason for cancelling the run, if one was given. */
  cancelReason?: string;
  createdAt: Date;
  updatedAt: Date;
}
