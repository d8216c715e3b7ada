import type { Head, Interrupt } from './thread.js';

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
  /** The node declares a retry policy: then any error of it is worth another attempt, else only those transient by nature. */
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
  /** Start of the question as text, at most 500 characters; only where the worker shows questions. */
  preview?: string;
  /** ISO 8601; the default answer is given then. */
  deadline?: string;
  /** Answer given at the deadline, as a person reads it; only where the worker shows questions. */
  defaultAnswer?: unknown;
}

/** Open questions by Pregel task id, as threads show them. */
export type InterruptsByTask = Record<string, Interrupt[]>;
