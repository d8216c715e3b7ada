import type { Head, Interrupt } from './thread.js';

/**
 * Where a thread stands after a step: the head (the thread's newest checkpoints) and the offset of
 * the thread's last event. The next step of the conversation gets this cursor, so it does not need
 * to read both from the database. If the cursor is out of date, that step fails and runs again, so
 * the result is never wrong.
 */
export interface Cursor {
  head: Head;
  /** Offset of the thread's last event. */
  tail: number;
}

/**
 * Options of the Temporal activity of the next step. They come from `metadata.temporal` of the
 * nodes that run in this step. Durations in ms.
 */
export interface StepOptions {
  /** Time limit of one attempt. Absent: no limit. */
  startToCloseTimeoutMs?: number;
  heartbeatTimeoutMs: number;
  /**
   * Maximum number of attempts if a node throws an error. After a failure of the infrastructure,
   * the step is always retried.
   */
  maximumAttempts: number;
  initialIntervalMs: number;
  backoffCoefficient: number;
  maximumIntervalMs: number;
  /**
   * Whether all nodes of the step declare a retry policy (`metadata.temporal.retry`). If so, an
   * error of a node is retried even if it is not transient, unless `nonRetryableErrors` names it.
   */
  retryAll?: boolean;
  /** Names of errors of nodes after which a step is never retried. */
  nonRetryableErrors?: string[];
  taskQueue?: string;
}

export const DEFAULT_STEP_OPTIONS: StepOptions = {
  heartbeatTimeoutMs: 10_000,
  maximumAttempts: 5,
  initialIntervalMs: 1_000,
  backoffCoefficient: 2,
  maximumIntervalMs: 60_000,
};

/** An open question: what an interrupt of the graph asks a person. */
export interface PendingInterrupt {
  id: string;
  node: string;
  /**
   * The first 500 characters of the question. Absent if the worker keeps questions out of the
   * workflow history.
   */
  preview?: string;
  /** Time at which the question gets its default answer, as ISO 8601. */
  deadline?: string;
  /**
   * Answer that the question gets at its deadline. Absent if the worker keeps questions out of the
   * workflow history.
   */
  defaultAnswer?: unknown;
}

/** Open questions of a thread, by the id of the Pregel task that asks them. */
export type InterruptsByTask = Record<string, Interrupt[]>;
