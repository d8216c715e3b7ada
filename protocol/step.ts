import type { Head, Interrupt } from './thread.js';

/**
 * Head and tail after a step. With them the next step needs two reads less. A stale cursor costs a
 * retry, but never leads to a wrong result.
 */
export interface Cursor {
  head: Head;
  /** Offset of the thread's last event. */
  tail: number;
}

/**
 * Activity options of the nodes that run next, from `metadata.temporal` of the graph's nodes.
 * Durations in ms.
 */
export interface StepOptions {
  startToCloseTimeoutMs: number;
  heartbeatTimeoutMs: number;
  /**
   * Number of attempts for errors that the node throws. Failures of the infrastructure are always
   * retried.
   */
  maximumAttempts: number;
  initialIntervalMs: number;
  backoffCoefficient: number;
  maximumIntervalMs: number;
  /**
   * Whether the node declares a retry policy. If so, every error of the node is retried, not only
   * transient ones.
   */
  retryAll?: boolean;
  /** Names of errors that are never retried. */
  nonRetryableErrors?: string[];
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

/** A question to a person. */
export interface PendingInterrupt {
  id: string;
  node: string;
  /** The first 500 characters of the question, if the worker shows questions. */
  preview?: string;
  /** ISO 8601. The default answer is given at this time. */
  deadline?: string;
  /** Answer given at the deadline, if the worker shows questions. */
  defaultAnswer?: unknown;
}

/** Open questions by Pregel task id, as threads show them. */
export type InterruptsByTask = Record<string, Interrupt[]>;
