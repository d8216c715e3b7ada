import type { Caller, Fence, StoredEvent } from '../protocol/index.js';

export interface RunLogScope {
  tenant: string;
  threadId: string;
  runId: string;
  fence: Fence;
  /**
   * Offset of the thread's last event, where known (as `flush` or `EventLog.tail` answered it): saves a read. That others have appended
   * since is found out at the first append.
   */
  tail?: number;
  /** Nothing is written before it has resolved; if it rejects, every flush throws its error. */
  begins?: Promise<unknown>;
  /** Once it fires, a write that fails is not tried again: the log ends with `unavailable`. */
  signal?: AbortSignal;
}

/** See {@link StoredEvent} for the fields. */
export type NewEvent = Pick<StoredEvent, 'ns' | 'event' | 'data'>;

/**
 * Writes the events of one attempt of a step. Appends keep their order and take gap-free offsets. The first goes out at once, later ones
 * in batches.
 */
export interface RunLog {
  /** Buffers; returns at once. After an error of the log every flush throws it. */
  append(event: NewEvent): void;
  /**
   * Resolves, with the offset of the last event, when everything appended before is durable. Errors: `fence_lost`; `too_large` for an event
   * or a backlog that does not fit; `unavailable`.
   */
  flush(): Promise<number>;
  /** Flushes and forgets the log. */
  close(): Promise<void>;
}

export interface EventLog {
  open(scope: RunLogScope): RunLog;
  /** Offset of the thread's last event; 0 without one. */
  tail(caller: Caller, threadId: string): Promise<number>;
  /** At most `limit` events after an offset, in order. */
  read(
    caller: Caller,
    threadId: string,
    options: { afterSeq: number; limit?: number; runId?: string },
  ): Promise<StoredEvent[]>;
  /**
   * Every event after an offset as it comes, in order, none twice, in batches; ends only with the signal.
   * A change stream wakes it, the collection is the truth.
   */
  follow(
    caller: Caller,
    threadId: string,
    options: { afterSeq: number; signal: AbortSignal },
  ): AsyncIterable<StoredEvent[]>;
  /**
   * Adds an event of the thread itself: it belongs to no run (`runId` is empty). Whoever writes the thread goes on writing. Answers its
   * offset. Errors: `too_large`, `unavailable`.
   */
  append(caller: Caller, threadId: string, event: NewEvent): Promise<number>;
  /** Removes the events of a thread. Idempotent. */
  deleteThread(caller: Caller, threadId: string): Promise<void>;
  close(): Promise<void>;
}
