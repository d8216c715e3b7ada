import type { Origin } from './caller.js';

/** Words of a run, as LangGraph's clients read them. */
export const RUN_STATUSES = ['pending', 'running', 'success', 'error', 'timeout', 'interrupted'] as const;
export type RunStatus = (typeof RUN_STATUSES)[number];

/** Statuses a run cannot leave. */
const ENDED_RUN_STATUSES = ['success', 'error', 'timeout', 'interrupted'] as const satisfies RunStatus[];
export type EndedRunStatus = (typeof ENDED_RUN_STATUSES)[number];

/** Whether a run with this status is over: it has left `pending` and `running` for good. */
export function isEnded(status: string): status is EndedRunStatus {
  return (ENDED_RUN_STATUSES as readonly string[]).includes(status);
}

/** What happens to a run that comes while another is pending or running. */
export const MULTITASK_STRATEGIES = ['reject', 'enqueue', 'interrupt', 'rollback'] as const;
export type MultitaskStrategy = (typeof MULTITASK_STRATEGIES)[number];

/** `interrupt` stops a run and keeps its steps; `rollback` also takes them, and the run itself, away. */
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

/** `Command` on the wire. */
/** Where a command leads: a node, or a node with an input of its own (`args`: as LangGraph's `Send` is written). */
export type RunGoto = string | { node: string; input: unknown } | { node: string; args: unknown };

export interface RunCommand {
  resume?: unknown;
  update?: unknown;
  goto?: RunGoto | RunGoto[];
}

/** Which checkpoint a run starts from; absent: the thread's head. */
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

/** Everything a step needs to run the graph; JSON, stored with the run, never in workflow history. */
export interface RunRequest {
  input?: unknown;
  command?: RunCommand;
  config: RunConfig;
  context?: unknown;
  checkpoint?: CheckpointRef;
  /** Modes whose events are recorded; a later reader can have no others. */
  streamModes: StreamMode[];
  streamSubgraphs: boolean;
  /** The run records what `streamEvents(…, { version: "v3" })` of LangGraph tells (protocol v2), whatever `streamModes` says. */
  streamVersion?: 'v3';
  interruptBefore?: '*' | string[];
  interruptAfter?: '*' | string[];
  /** URL that is told of the run's end. */
  webhook?: string;
  /** The run waits so long before it may begin. */
  afterSeconds?: number;
  /** What people are asked of the run in LangSmith: its last event before the end has an address for each. */
  feedbackKeys?: string[];
}

/** Why a run ended in `error`, in the words clients see. */
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
  /** Who asked for it; absent in records from before it was kept. */
  createdBy?: Origin;
  /** Idempotency key of the request that made it. */
  key?: string;
  error?: RunError;
  /** Events of the run have higher offsets than this one; set when its first step starts. */
  afterSeq?: number;
  /** When its first step started. */
  startedAt?: Date;
  /** Why somebody cancelled it, where they said so. */
  cancelReason?: string;
  createdAt: Date;
  updatedAt: Date;
}
