import type { Caller, Fence, StoredEvent } from '../protocol/index.js';

export interface RunLogScope {
  threadId: string;
  runId: string;
  fence: Fence;
  /**
   * Offset of the thread's last event, if the caller knows it from `flush` or `EventLog.tail`. Then
   * the writer need not read it. It may be outdated: the first write detects events that other
   * writers have appended since.
   */
  tail?: number;
  /**
   * No event is written before this promise resolves. If it rejects, every flush throws its error.
   */
  after?: Promise<unknown>;
  /** After this signal fires, failed writes are not retried: the log fails with `unavailable`. */
  signal?: AbortSignal;
}

/**
 * Stands for a value that is stored elsewhere. Readers insert the JSON text of this value into the
 * event's text.
 */
export interface EventReference {
  /** Position in the event's text, in UTF-16 code units. */
  at: number;
  key: string;
}

/** Returns the JSON texts of stored values of a thread, by key. Leaves out deleted values. */
export type ReadReferences = (caller: Caller, threadId: string, keys: string[]) => Promise<Map<string, string>>;

/** An event to append. {@link StoredEvent} describes the fields. */
export interface NewEvent extends Pick<StoredEvent, 'ns' | 'event' | 'data'> {
  /**
   * The references in the event's text, sorted by `at`. Readers get the text with all values
   * inserted. If a value was deleted, readers skip the event.
   */
  refs?: EventReference[];
  /**
   * Neither this event nor a later one is written before this promise resolves. If it rejects,
   * every flush throws its error.
   */
  after?: Promise<unknown>;
}

/**
 * Writes the events of one attempt of a step. Keeps the order in which events are appended, and
 * gives them gap-free offsets. Writes the first event at once, and later events in batches.
 */
export interface RunLog {
  /**
   * Adds the event to a buffer and returns at once. If events cannot be written, every flush throws
   * the error.
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
   * Opens a writer of a thread's log. The writer writes no event before the caller is authorized.
   * Errors: `invalid_argument`; `unavailable` if the event log is closed.
   */
  open(caller: Caller, scope: RunLogScope): RunLog;
  /** Returns the offset of the thread's last event, or 0 if the thread has no events. */
  tail(caller: Caller, threadId: string): Promise<number>;
  /**
   * Returns at most `limit` events after offset `afterSeq`, in order. Returns fewer events if they
   * are large. With `runId`, returns only events of this run. An empty list means that there are no
   * later events. With `bare`, events come without the values and large texts that are stored
   * elsewhere; this is enough for callers that need only the platform's own events. Errors:
   * `invalid_argument`.
   */
  read(
    caller: Caller,
    threadId: string,
    options: { afterSeq: number; limit?: number; runId?: string; bare?: boolean },
  ): Promise<StoredEvent[]>;
  /**
   * Yields every event after offset `afterSeq` once, in order, in lists. Ends when the signal
   * fires. Throws `unavailable` if the event log is closed. A change stream delivers new events
   * early. Polls of the collection ensure that no event is lost.
   */
  follow(
    caller: Caller,
    threadId: string,
    options: { afterSeq: number; signal: AbortSignal },
  ): AsyncIterable<StoredEvent[]>;
  /**
   * Appends an event that belongs to the thread, but to no run (its `runId` is empty). Returns the
   * offset of the event. A run whose {@link RunLog} is open can still write events afterwards.
   * Errors: `unavailable`.
   */
  append(caller: Caller, threadId: string, event: NewEvent): Promise<number>;
  /** Removes the events of a thread. Idempotent. */
  deleteThread(caller: Caller, threadId: string): Promise<void>;
  close(): Promise<void>;
}
