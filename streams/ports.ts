import type { Caller, Fence, StoredEvent } from '../protocol/index.js';

export interface RunLogScope {
  threadId: string;
  runId: string;
  fence: Fence;
  /**
   * Offset of the thread's last event, if the caller knows it from `flush` or `EventLog.tail`. It
   * saves a read of the tail. It may be stale: the first write detects events that other writers
   * have appended since.
   */
  tail?: number;
  /**
   * Events are written after this promise resolves. If it rejects, every flush throws its error.
   */
  after?: Promise<unknown>;
  /** After this signal fires, failed writes are not retried: the log fails with `unavailable`. */
  signal?: AbortSignal;
}

/**
 * Stands for a value that is stored elsewhere. Readers insert the value's JSON text into the
 * event's text.
 */
export interface EventReference {
  /** Position in the event's text, in UTF-16 code units. */
  at: number;
  key: string;
}

/** Returns the JSON texts of stored values of a thread, by key. Leaves out deleted values. */
export type ReadReferences = (caller: Caller, threadId: string, keys: string[]) => Promise<Map<string, string>>;

/** See {@link StoredEvent} for the fields. */
export interface NewEvent extends Pick<StoredEvent, 'ns' | 'event' | 'data'> {
  /**
   * The references in the event's text, sorted by `at`. Readers get the text with all values
   * inserted. If a value was deleted, readers skip the event.
   */
  refs?: EventReference[];
  /**
   * This event and later ones are written after this promise resolves. If it rejects, every flush
   * throws its error.
   */
  after?: Promise<unknown>;
}

/**
 * Writes the events of one attempt of a step. Events keep the order of their appends and get
 * gap-free offsets. The first event is written at once. Later events are written in batches.
 */
export interface RunLog {
  /**
   * Buffers the event and returns at once. If the log cannot be written, every flush throws the
   * error.
   */
  append(event: NewEvent): void;
  /**
   * Waits until all events appended so far are durable. Resolves to the offset of the log's last
   * event.
   * Errors: `fence_lost`; `too_large` if the buffer is full (32 MiB or 100,000 events);
   * `unavailable`.
   */
  flush(): Promise<number>;
  /** Flushes, then releases the log. Throws the error of the flush. */
  close(): Promise<void>;
}

export interface EventLog {
  /**
   * Opens a writer of a thread's log. The writer writes only after the caller is authorized.
   * Errors: `invalid_argument`; `unavailable` if the event log is closed.
   */
  open(caller: Caller, scope: RunLogScope): RunLog;
  /** Returns the offset of the thread's last event, or 0 if the thread has no events. */
  tail(caller: Caller, threadId: string): Promise<number>;
  /**
   * Returns at most `limit` events after an offset, in order. Returns fewer events if they are
   * large. An empty list means that the log has no later events. `bare` leaves out values that
   * events refer to, for callers that only need the platform's own events. Errors:
   * `invalid_argument`.
   */
  read(
    caller: Caller,
    threadId: string,
    options: { afterSeq: number; limit?: number; runId?: string; bare?: boolean },
  ): Promise<StoredEvent[]>;
  /**
   * Yields every event after an offset once, in order, in batches. Ends when the signal fires.
   * Throws `unavailable` if the event log is closed. A change stream delivers new events early.
   * Polls of the collection ensure that no event is lost.
   */
  follow(
    caller: Caller,
    threadId: string,
    options: { afterSeq: number; signal: AbortSignal },
  ): AsyncIterable<StoredEvent[]>;
  /**
   * Appends an event of the thread itself, which belongs to no run (`runId` is empty). Writers that
   * are open on the thread can continue. Returns the event's offset. Errors: `unavailable`.
   */
  append(caller: Caller, threadId: string, event: NewEvent): Promise<number>;
  /** Removes the events of a thread. Idempotent. */
  deleteThread(caller: Caller, threadId: string): Promise<void>;
  close(): Promise<void>;
}
