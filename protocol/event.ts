import type { Fence } from './fence.js';
import { isEnded, type EndedRunStatus, type Run, type RunError } from './run.js';

/** A past-tense fact about a run; append-only; what clients stream. */
export interface StoredEvent {
  tenant: string;
  threadId: string;
  /** Offset in the thread, gap-free from 1. */
  seq: number;
  /** Empty for an event of the thread itself. */
  runId: string;
  /** Fence of the writer: tells which attempt said it. */
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
 * Events of ours in the log. `run.attempt` opens a new attempt and names the events it supersedes; `run.ended` is the last event of a run.
 */
export const CONTROL_EVENTS = { attempt: 'run.attempt', ended: 'run.ended' } as const;

/** Name of the event by which a thread tells that its state was edited; it belongs to no run. */
export const STATE_UPDATE_EVENT = 'state_update';

/** Data of `run.attempt`. */
export interface AttemptData {
  run_id: string;
  /** Attempt that now runs, from 2. */
  attempt: number;
  /** Offsets, first and last of each range, of what earlier attempts said and never committed: a reader drops them. */
  superseded: [first: number, last: number][];
  /** Last offset looked at for that; what a dying attempt still said between it and this event is superseded too. */
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

/** How a run ended, as its record says; `undefined` while it has not. */
export function endOf({ runId, status, error }: Run): EndedData | undefined {
  return isEnded(status) ? { run_id: runId, status, ...(error && { error }) } : undefined;
}
