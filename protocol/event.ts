import type { Fence } from './fence.js';
import { isEnded, type EndedRunStatus, type Run, type RunError } from './run.js';

/**
 * An event of a run or a thread, as the event log stores it. It never changes after it is written.
 */
export interface StoredEvent {
  tenant: string;
  threadId: string;
  /** Offset of the event in its thread. Offsets start at 1 and have no gaps. */
  seq: number;
  /** Id of the run. Empty for an event of the thread itself, such as an edit of its state. */
  runId: string;
  /** Fence of the attempt that wrote the event. It identifies this attempt. */
  fence: Fence;
  /** Checkpoint namespace of the event; `''` is the root graph. */
  ns: string;
  /** SSE event name (`values`, `messages|tools:…`), or one of {@link CONTROL_EVENTS}. */
  event: string;
  /**
   * JSON text. Streams of server-sent events contain it unchanged, except for
   * {@link CONTROL_EVENTS}. Protocol v2 translates it.
   */
  data: string;
  at: Date;
}

/**
 * Events that Colloquy itself writes to the event log. `run.attempt` is written when a step is
 * attempted again. It names the events of earlier attempts that are no longer valid. `run.ended` is
 * the last event of a run.
 */
export const CONTROL_EVENTS = { attempt: 'run.attempt', ended: 'run.ended' } as const;

/** Name of the event that says that a thread's state was edited. The event belongs to no run. */
export const STATE_UPDATE_EVENT = 'state_update';

/** Data of the event `run.attempt`. */
export interface AttemptData {
  run_id: string;
  /** Number of the attempt that starts, from 2. */
  attempt: number;
  /**
   * Ranges of offsets (first and last) of the events that earlier attempts wrote and never
   * committed. Readers of the event log leave these events out.
   */
  superseded: [first: number, last: number][];
  /**
   * Offset of the last event in the thread's log when the new attempt began. If an earlier attempt
   * wrote events of the run after this offset and before `run.attempt`, these events are superseded
   * too.
   */
  tail: number;
  /** Why the previous attempt failed, if known. */
  reason?: string;
}

/** Data of the event `run.ended`. */
export interface EndedData {
  run_id: string;
  status: EndedRunStatus;
  error?: RunError;
}

/**
 * Returns the data of the event `run.ended` from the run's record, or undefined while the run has
 * not ended.
 */
export function endOf({ runId, status, error }: Run): EndedData | undefined {
  return isEnded(status) ? { run_id: runId, status, ...(error && { error }) } : undefined;
}
