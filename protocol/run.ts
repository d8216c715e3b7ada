import type { Origin } from './caller.js';

/** Statuses of a run in LangGraph's API. */
export const RUN_STATUSES = ['pending', 'running', 'success', 'error', 'timeout', 'interrupted'] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** Statuses of a run that has ended. They never change again. */
const ENDED_RUN_STATUSES = ['success', 'error', 'timeout', 'interrupted'] as const satisfies RunStatus[];
export type EndedRunStatus = (typeof ENDED_RUN_STATUSES)[number];

/** Returns whether a run with this status has ended. */
export function isEnded(status: string): status is EndedRunStatus {
  return (ENDED_RUN_STATUSES as readonly string[]).includes(status);
}

/**
 * What happens when a run is submitted while another run of its thread is pending or running.
 * `reject`: the new run is refused. `enqueue`: the new run waits until the earlier runs have ended.
 * `interrupt` and `rollback`: the earlier runs are cancelled with the {@link CANCEL_ACTIONS} of the
 * same name.
 */
export const MULTITASK_STRATEGIES = ['reject', 'enqueue', 'interrupt', 'rollback'] as const;
export type MultitaskStrategy = (typeof MULTITASK_STRATEGIES)[number];

/**
 * How a run is cancelled. `interrupt` stops the run and keeps its steps. `rollback` stops the run
 * and deletes its steps and the run itself.
 */
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
 * Target of a command: the name of a node, or a node together with an input for it. This input is
 * called `args` in LangGraph's own `Send`, so both names are accepted.
 */
export type RunGoto = string | { node: string; input: unknown } | { node: string; args: unknown };

/** LangGraph's `Command` in the form in which clients send it. */
export interface RunCommand {
  resume?: unknown;
  update?: unknown;
  goto?: RunGoto | RunGoto[];
}

/**
 * The checkpoint that a run starts from. A run without it starts from the newest checkpoint of its
 * thread.
 */
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
 * Everything that a step needs to run the graph, as JSON. It is stored in the record of the run,
 * and never in Temporal's workflow history.
 */
export interface RunRequest {
  input?: unknown;
  command?: RunCommand;
  config: RunConfig;
  context?: unknown;
  checkpoint?: CheckpointRef;
  /**
   * Stream modes whose events the run records. Readers of the run cannot get events of other modes.
   */
  streamModes: StreamMode[];
  streamSubgraphs: boolean;
  /**
   * If set, the run records the events of LangGraph's `streamEvents(…, { version: "v3" })`,
   * whatever `streamModes` is. Protocol v2 needs these events.
   */
  streamVersion?: 'v3';
  interruptBefore?: '*' | string[];
  interruptAfter?: '*' | string[];
  /** URL to which a webhook is sent when the run has ended. */
  webhook?: string;
  /** Delay before the run joins the queue of its thread, in seconds. */
  afterSeconds?: number;
  /**
   * Keys of LangSmith feedback. At its end, the run writes the event `feedback`. For each key, this
   * event has a URL to which clients can post feedback on the run.
   */
  feedbackKeys?: string[];
}

/** Why a run ended in `error`, as shown to clients. */
export interface RunError {
  /** Name of the error: `TypeError`, `GraphRecursionError`. */
  error: string;
  message: string;
}

/**
 * The error of a run that is about to end, if the error is too long for Temporal. It is kept in the
 * run's record until the run ends.
 */
export interface KeptError {
  error: RunError;
  /** The error with cut texts, as Temporal has it. */
  shown: RunError;
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
  /** Whether the run was executing when its process crashed. It is then tried again alone. */
  isSuspect?: boolean;
  /** Set only until the run ends. Clients do not see it. */
  keptError?: KeptError;
  /**
   * Offset of the last event before the run's first event. Set when the run's first step starts.
   */
  afterSeq?: number;
  /** When the run's first step started. */
  startedAt?: Date;
  /** Reason for cancelling the run, if one was given. */
  cancelReason?: string;
  createdAt: Date;
  updatedAt: Date;
}
