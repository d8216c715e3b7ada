import type { Head, Interrupt } from './thread.js';

/**
 * Head and tail after a step, which spare the next step two reads. A stale cursor costs a retry,
 * never correctness.
 */
export interface Cursor {
  head: Head;
  /** Offset of the thread's last event. */
  tail: number;
}

/**
 * Activity options of the nodes about to run, from `metadata.temporal` of the graph's nodes.
 * Durations in ms.
 */
export interface StepOptions {
  startToCloseTimeoutMs: number;
  heartbeatTimeoutMs: number;
  /**
   * Attempts for errors that the node throws; failures of the infrastructure are always retried.
   */
  maximumAttempts: number;
  initialIntervalMs: number;
  backoffCoefficient: number;
  maximumIntervalMs: number;
  /**
   * The node declares a retry policy. Then every error of it is retried, not only transient ones.
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
