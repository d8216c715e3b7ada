import type { Fence } from './fence.js';
import { isEnded, type EndedRunStatus, type Run, type RunError } from './run.js';

/** An event of a run or a thread, as clients stream it. It never changes after it is written. */
export interface StoredEvent {
  tenant: string;
  threadId: string;
  /** Offset in the thread, gap-free from 1. */
  seq: number;
  /** Empty for an event of the thread itself. */
  runId: string;
  /** Fence of the writer, which identifies the attempt. */
  fence: Fence;
  /** Checkpoint namespace of the event; `''` is the root graph. */
  ns: string;
  /** SSE event name (`values`, `messages|tools:…`), or one of {@link CONTROL_EVENTS}. */
  event: string;
  /** JSON text, sent to clients as it is. */
  data: string;
  at: Date;
}

/**
 * The platform's own events in the log. `run.attempt` opens a new attempt and names the events that
 * it supersedes. `run.ended` is the last event of a run.
 */
export const CONTROL_EVENTS = { attempt: 'run.attempt', ended: 'run.ended' } as const;

/** Event of a thread whose state was edited. It belongs to no run. */
export const STATE_UPDATE_EVENT = 'state_update';

/** Data of `run.attempt`. */
export interface AttemptData {
  run_id: string;
  /** Number of the attempt that starts, from 2. */
  attempt: number;
  /**
   * Offset ranges (first and last) of events that earlier attempts wrote and never committed.
   * Readers drop them.
   */
  superseded: [first: number, last: number][];
  /**
   * Last offset that the attempt has checked. The run's events between this offset and the event
   * `run.attempt` are superseded too.
   */
  tail: number;
  /** Why the last attempt failed, if known. */
  reason?: string;
}

/** Data of `run.ended`. */
export interface EndedData {
  run_id: string;
  status: EndedRunStatus;
  error?: RunError;
}

/** Returns the end of a run from its record, or undefined while the run has not ended. */
export function endOf({ runId, status, error }: Run): EndedData | undefined {
  return isEnded(status) ? { run_id: runId, status, ...(error && { error }) } : undefined;
}
