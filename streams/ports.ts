import type { Caller, Fence, StoredEvent } from '../protocol/index.js';

export interface RunLogScope {
  threadId: string;
  runId: string;
  fence: Fence;
  /**
   * Offset of the thread's last event if known, from `flush` or `EventLog.tail`. It saves a read.
   * It may be stale: the first write detects events that others have appended since.
   */
  tail?: number;
  /** Nothing is written before it resolves. If it rejects, every flush throws its error. */
  after?: Promise<unknown>;
  /** After it fires, a failed write is not retried: the log fails with `unavailable`. */
  signal?: AbortSignal;
}

/**
 * Stands for a value that is stored elsewhere. Readers insert its JSON text into the event's text.
 */
export interface EventReference {
  /** Position in the event's text, in UTF-16 code units. */
  at: number;
  key: string;
}

/** Returns the JSON texts of stored values of a thread by key, without values that are deleted. */
export type ReadReferences = (caller: Caller, threadId: string, keys: string[]) => Promise<Map<string, string>>;

/** See {@link StoredEvent} for the fields. */
export interface NewEvent extends Pick<StoredEvent, 'ns' | 'event' | 'data'> {
  /**
   * Sorted by `at`. Readers get the text with all values inserted. They skip the event if a value
   * is deleted.
   */
  refs?: EventReference[];
  /**
   * This event and later ones are written after it resolves. If it rejects, every flush throws its
   * error.
   */
  after?: Promise<unknown>;
}

/**
 * Writes the events of one attempt of a step. Events keep the order of their appends and get
 * gap-free offsets. The first event is written at once, later ones in batches.
 */
export interface RunLog {
  /** Buffers the event and returns at once. If writing fails, every flush throws the error. */
  append(event: NewEvent): void;
  /**
   * Resolves when all events appended before are durable, with the offset of the log's last event.
   * Errors: `fence_lost`; `too_large` if the buffer is full (32 MiB or 100,000 events);
   * `unavailable`.
   */
  flush(): Promise<number>;
  /** Flushes, then releases the log. Throws the error of the flush. */
  close(): Promise<void>;
}

export interface EventLog {
  /**
   * Opens a writer of a thread's log. Nothing is written before the caller is authorized.
   * Errors: `invalid_argument`; `unavailable` if the event log is closed.
   */
  open(caller: Caller, scope: RunLogScope): RunLog;
  /** Offset of the thread's last event; 0 without one. */
  tail(caller: Caller, threadId: string): Promise<number>;
  /**
   * Returns at most `limit` events after an offset, in order; fewer if they are large. An empty
   * result means the end of the log. `bare` leaves out values that events refer to, for callers
   * that only need the platform's own events. Errors: `invalid_argument`.
   */
  read(
    caller: Caller,
    threadId: string,
    options: { afterSeq: number; limit?: number; runId?: string; bare?: boolean },
  ): Promise<StoredEvent[]>;
  /**
   * Yields every event after an offset once, in order, in batches. Ends with the signal, or throws
   * `unavailable` if the event log is closed. A change stream delivers events early; polling the
   * collection ensures that none is lost.
   */
  follow(
    caller: Caller,
    threadId: string,
    options: { afterSeq: number; signal: AbortSignal },
  ): AsyncIterable<StoredEvent[]>;
  /**
   * Appends an event of the thread itself, which belongs to no run (`runId` is empty). Open writers
   * of the thread can continue. Returns the event's offset. Errors: `unavailable`.
   */
  append(caller: Caller, threadId: string, event: NewEvent): Promise<number>;
  /** Removes the events of a thread. Idempotent. */
  deleteThread(caller: Caller, threadId: string): Promise<void>;
  close(): Promise<void>;
}
