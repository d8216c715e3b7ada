import type { ChangeStream, ChangeStreamInsertDocument, Collection } from 'mongodb';
import { parseBatchKey } from './event-batch.js';
import type { EventDocument } from './log-tail.js';

const PIPELINE = [
  { $match: { operationType: 'insert' } },
  { $project: { _id: 1, operationType: 1, ns: 1, documentKey: 1 } },
];

/** Followers of short runs come and go; the change stream stays open this long after the last one. */
const LINGER_MS = 10_000;
const MIN_REOPEN_MS = 100;
const MAX_REOPEN_MS = 5_000;

/** One follower's alarm clock. */
export interface Waker {
  /** Resolves when a batch at or above this offset was seen since the last wait, after `ms`, or when the signal fires. */
  wait(seq: number, ms: number, signal: AbortSignal): Promise<void>;
  leave(): void;
}

class FollowerWaker implements Waker {
  /** Offset of the newest batch seen since the last wait. */
  #seen = 0;
  #waiting: { seq: number; wake: () => void } | undefined;
  readonly #onLeave: (waker: FollowerWaker) => void;

  constructor(onLeave: (waker: FollowerWaker) => void) {
    this.#onLeave = onLeave;
  }

  hint(seq: number): void {
    this.#seen = Math.max(this.#seen, seq);
    if (this.#waiting !== undefined && this.#seen >= this.#waiting.seq) this.#waiting.wake();
  }

  async wait(seq: number, ms: number, signal: AbortSignal): Promise<void> {
    if (this.#seen < seq && !signal.aborted) {
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          clearTimeout(timer);
          signal.removeEventListener('abort', wake);
          resolve();
        };
        const timer = setTimeout(wake, ms);
        signal.addEventListener('abort', wake);
        this.#waiting = { seq, wake };
      });
    }
    this.#waiting = undefined;
    this.#seen = 0; // a hint is good for one read: what it told of may be gone
  }

  leave(): void {
    this.#onLeave(this);
  }
}

/**
 * Wakes followers when a batch of their log is inserted, by one change stream per process. A hint may be lost or late: followers also read
 * on their own from time to time.
 */
export class WakeHub {
  readonly #events: Collection<EventDocument>;
  readonly #wakers = new Map<string, Set<FollowerWaker>>();
  #stream: ChangeStream<EventDocument> | undefined;
  #linger: NodeJS.Timeout | undefined;
  #reopen: NodeJS.Timeout | undefined;
  #failures = 0;
  #closed = false;

  constructor(events: Collection<EventDocument>) {
    this.#events = events;
  }

  join(log: string): Waker {
    const waker = new FollowerWaker((gone) => this.#leave(log, gone));
    const wakers = this.#wakers.get(log) ?? new Set();
    this.#wakers.set(log, wakers.add(waker));
    clearTimeout(this.#linger);
    this.#linger = undefined;
    this.#watch();
    return waker;
  }

  hint(log: string, seq: number): void {
    for (const waker of this.#wakers.get(log) ?? []) waker.hint(seq);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#linger);
    clearTimeout(this.#reopen);
    this.#wakeAll();
    await this.#stop();
  }

  #leave(log: string, waker: FollowerWaker): void {
    const wakers = this.#wakers.get(log);
    wakers?.delete(waker);
    if (wakers?.size === 0) this.#wakers.delete(log);
    if (this.#wakers.size > 0 || this.#closed || this.#linger !== undefined) return;
    this.#linger = setTimeout(() => {
      this.#linger = undefined;
      void this.#stop();
    }, LINGER_MS).unref();
  }

  #watch(): void {
    if (this.#stream !== undefined || this.#reopen !== undefined || this.#closed) return;
    const stream = this.#events.watch<EventDocument, ChangeStreamInsertDocument<EventDocument>>(PIPELINE);
    this.#stream = stream;
    // The first token says that the stream is open; what was inserted before it, followers read themselves.
    stream.once('resumeTokenChanged', () => this.#wakeAll());
    stream.on('change', (change) => this.#changed(change));
    stream.on('error', () => this.#restart(stream));
    stream.on('close', () => this.#restart(stream));
  }

  #changed(change: ChangeStreamInsertDocument<EventDocument>): void {
    this.#failures = 0;
    const key = parseBatchKey(String(change.documentKey._id));
    if (key !== undefined) this.hint(key.log, key.seq);
  }

  /** Opens another stream after a pause; the driver has resumed what can be resumed. */
  #restart(stream: ChangeStream<EventDocument>): void {
    if (this.#stream !== stream) return;
    void this.#stop();
    if (this.#closed || this.#wakers.size === 0) return;
    const delay = Math.min(MIN_REOPEN_MS * 2 ** this.#failures, MAX_REOPEN_MS);
    this.#failures += 1;
    this.#reopen = setTimeout(() => {
      this.#reopen = undefined;
      if (this.#wakers.size > 0) this.#watch();
    }, delay).unref();
  }

  async #stop(): Promise<void> {
    const stream = this.#stream;
    this.#stream = undefined;
    await stream?.close().catch(() => undefined); // it is of no use any more, whatever it says
  }

  #wakeAll(): void {
    for (const wakers of this.#wakers.values()) for (const waker of wakers) waker.hint(Number.POSITIVE_INFINITY);
  }
}
