import type { Caller, Fence, StoredEvent } from '../protocol/index.js';

export interface RunLogScope {
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

/** A place in the text of an event, in UTF-16 code units, where the text of a value goes that is stored elsewhere. */
export interface EventReference {
  at: number;
  key: string;
}

/** Answers the JSON text of stored values of a thread by their keys; those that are gone are left out. */
export type ReadReferences = (caller: Caller, threadId: string, keys: string[]) => Promise<Map<string, string>>;

/** See {@link StoredEvent} for the fields. */
export interface NewEvent extends Pick<StoredEvent, 'ns' | 'event' | 'data'> {
  /** In the order of their places. Readers get the whole text, and nothing of an event of which a value is gone. */
  refs?: EventReference[];
  /** The event, and what is appended behind it, is written after this has resolved; if it rejects, every flush throws its error. */
  after?: Promise<unknown>;
}

/**
 * Writes the events of one attempt of a step. Appends keep their order and take gap-free offsets. The first goes out at once, later ones
 * in batches.
 */
export interface RunLog {
  /** Buffers; returns at once. After an error of the log every flush throws it. */
  append(event: NewEvent): void;
  /**
   * Resolves, with the offset of the last event, when everything appended before is durable. Errors: `fence_lost`; `too_large` for a backlog
   * that does not fit; `unavailable`.
   */
  flush(): Promise<number>;
  /** Flushes and forgets the log. */
  close(): Promise<void>;
}

export interface EventLog {
  /** Errors: `invalid_argument`, `unavailable` for a closed log. A writer may not write before its caller is checked. */
  open(caller: Caller, scope: RunLogScope): RunLog;
  /** Offset of the thread's last event; 0 without one. */
  tail(caller: Caller, threadId: string): Promise<number>;
  /**
   * At most `limit` events after an offset, in order; fewer where they are large, none at the log's end alone. `bare`: without the values that they
   * refer to, for who looks at the platform's own events.
   */
  read(
    caller: Caller,
    threadId: string,
    options: { afterSeq: number; limit?: number; runId?: string; bare?: boolean },
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
   * offset. Errors: `unavailable`.
   */
  append(caller: Caller, threadId: string, event: NewEvent): Promise<number>;
  /** Removes the events of a thread. Idempotent. */
  deleteThread(caller: Caller, threadId: string): Promise<void>;
  close(): Promise<void>;
}
