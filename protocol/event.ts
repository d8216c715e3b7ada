import type { Fence } from './fence.js';
import { isEnded, type EndedRunStatus, type Run, type RunError } from './run.js';

/** An event of a run: append-only, and what clients stream. */
export interface StoredEvent {
  tenant: string;
  threadId: string;
  /** Offset in the thread, gap-free from 1. */
  seq: number;
  /** Empty for an event of the thread itself. */
  runId: string;
  /** Fence of the writer, which identifies the attempt. */
  fence: Fence;
  /** Checkpoint namespace it belongs to; `''` is the root graph. */
  ns: string;
  /** SSE event name (`values`, `messages|tools:…`), or one of {@link CONTROL_EVENTS}. */
  event: string;
  /** JSON text, sent to clients as it is. */
  data: string;
  at: Date;
}

/**
 * Our own events in the log. `run.attempt` opens a new attempt and names the events it supersedes.
 * `run.ended` is the last event of a run.
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
   * Last offset that was checked. Events of an earlier attempt between it and this event are
   * superseded too.
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

/** How a run ended according to its record. Undefined while it has not ended. */
export function endOf({ runId, status, error }: Run): EndedData | undefined {
  return isEnded(status) ? { run_id: runId, status, ...(error && { error }) } : undefined;
}
