import { randomUUID } from 'node:crypto';
import { ColloquyError, CONTROL_EVENTS } from '../protocol/index.js';
import {
  MAX_BATCH_EVENTS,
  batchKey,
  tailMark,
  type BatchedEvent,
  type StoredBatch,
  type TailMark,
} from './event-batch.js';
import { guardFence, type WriterPosition } from './log-tail.js';
import type { LargeText } from './large-texts.js';
import type { NewEvent, RunLog, RunLogScope } from './ports.js';

/**
 * Limit for the text of an event in a batch (a document with several events). A larger text is
 * stored in parts, see {@link LargeText}.
 */
const MAX_EVENT_BYTES = 8 * 2 ** 20;
const MAX_BATCH_BYTES = 4 * 2 ** 20;
/**
 * Limits for the events that wait in the buffer of a log. Above a limit, the log fails with
 * `too_large`.
 */
const MAX_BUFFERED_BYTES = 32 * 2 ** 20;
const MAX_BUFFERED_EVENTS = 100_000;

interface BufferedEvent extends BatchedEvent {
  bytes: number;
  /** Set while a value or text that the event needs is not stored yet. */
  isBlocked?: boolean;
}

interface Waiter {
  /**
   * Number of events, counted from the writer's first event. When all these events are durable,
   * `resolve` is called.
   */
  events: number;
  resolve: (tail: number) => void;
  reject: (error: Error) => void;
}

interface RunLogHooks {
  /** Called when the log has events to write. `urgent` asks for a write at once. */
  ready(log: MongoRunLog, urgent: boolean): void;
  closed(log: MongoRunLog): void;
  /** Starts to store a large text. */
  storeText(log: string, text: string): { large: LargeText; stored: Promise<void> };
}

/**
 * One writer of a log: buffers events and knows the offset of the next one. {@link BatchWriter}
 * decides when to write: it takes a batch, writes it and reports the result. Events leave the
 * buffer only when they are durable. So if it is unknown whether a write succeeded, the same batch
 * is taken again with the same offset.
 */
export class MongoRunLog implements RunLog {
  readonly name: string;
  readonly signal: AbortSignal | undefined;
  /** Number of consecutive failed writes. */
  failures = 0;
  /** Whether a write, or a read of the log's tail (offset of its last event), is in progress. */
  busy = false;
  readonly #scope: RunLogScope;
  readonly #hooks: RunLogHooks;
  readonly #writer = randomUUID();
  #buffer: BufferedEvent[] = [];
  #bufferedBytes = 0;
  #appended = 0;
  #durable = 0;
  /** Offset of the next event to write. Undefined until the log's tail is known. */
  #next: number | undefined;
  #waiters: Waiter[] = [];
  #error: Error | undefined;
  #isBlocked = false;
  #closed = false;

  constructor(name: string, scope: RunLogScope, hooks: RunLogHooks) {
    this.name = name;
    this.signal = scope.signal;
    this.#scope = scope;
    this.#hooks = hooks;
    if (scope.tail !== undefined) this.#next = scope.tail + 1;
    if (scope.after !== undefined) this.#blockUntil(scope.after);
  }

  append(event: NewEvent): void {
    if (this.#closed)
      throw new ColloquyError('internal', `event log ${this.name} is closed; cannot append ${event.event}`);
    if (this.#error !== undefined) return;
    const { ns, event: name, refs } = event;
    const length = Buffer.byteLength(event.data);
    const isLarge = length > MAX_EVENT_BYTES;
    const bytes = (isLarge ? 0 : length) + name.length + ns.length + 100;
    if (this.#isFull(bytes)) return;
    const beside = isLarge ? this.#hooks.storeText(this.name, event.data) : undefined;
    const text = beside === undefined ? { data: event.data } : { data: '', large: beside.large };
    const buffered: BufferedEvent = { ns, event: name, ...text, ...(refs && { refs }), at: new Date(), bytes };
    this.#buffer.push(buffered);
    this.#bufferedBytes += bytes;
    this.#appended += 1;
    const after = beside === undefined ? event.after : Promise.all([event.after, beside.stored]);
    if (after === undefined) return this.#hooks.ready(this, this.#appended === 1);
    buffered.isBlocked = true;
    this.#resumeAfter(after, () => delete buffered.isBlocked);
  }

  flush(): Promise<number> {
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#durable === this.#appended && this.#next !== undefined) return Promise.resolve(this.#next - 1);
    return new Promise((resolve, reject) => {
      this.#waiters.push({ events: this.#appended, resolve, reject });
      this.#hooks.ready(this, true);
    });
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      if (this.#durable < this.#appended || this.#error !== undefined) await this.flush();
    } finally {
      this.#hooks.closed(this);
    }
  }

  /** Log, offset, fence and writer of the next event. Undefined until the log's tail is known. */
  get position(): WriterPosition | undefined {
    if (this.#next === undefined) return undefined;
    return { log: this.name, seq: this.#next, fence: this.#scope.fence, writer: this.#writer };
  }

  get hasWork(): boolean {
    return this.#error === undefined && !this.#isBlocked && (this.#buffer.length > 0 || this.#waiters.length > 0);
  }

  get isUrgent(): boolean {
    return this.#waiters.length > 0;
  }

  /**
   * Returns the next batch to write. If the batch ends a run, also returns a {@link TailMark}, a
   * document that keeps the log's tail after the events have expired. Returns undefined if no event
   * can be written yet or the log's tail is unknown.
   */
  takeBatch(retentionMs: number): [StoredBatch, ...TailMark[]] | undefined {
    const seq = this.#next;
    if (seq === undefined || this.#buffer.length === 0) return undefined;
    const length = this.#batchLength();
    if (length === 0) return undefined;
    const events = this.#buffer.slice(0, length).map(({ bytes: _, ...event }) => event);
    const batch: StoredBatch = {
      _id: batchKey(this.name, seq),
      log: this.name,
      seq,
      count: events.length,
      runId: this.#scope.runId,
      fence: this.#scope.fence,
      writer: this.#writer,
      events,
      expiresAt: new Date(Date.now() + retentionMs),
    };
    const endsRun = events.at(-1)?.event === CONTROL_EVENTS.ended;
    return endsRun ? [batch, tailMark(this.name, seq + events.length - 1)] : [batch];
  }

  /**
   * Removes the first `count` events from the buffer, because they are durable, and resolves the
   * flushes that waited for them. `next` is the offset of the next event.
   */
  settle(count: number, next: number): void {
    for (const event of this.#buffer.splice(0, count)) this.#bufferedBytes -= event.bytes;
    this.#durable += count;
    this.#next = next;
    this.failures = 0;
    const done = this.#waiters.filter((waiter) => waiter.events <= this.#durable);
    this.#waiters = this.#waiters.filter((waiter) => waiter.events > this.#durable);
    for (const waiter of done) waiter.resolve(next - 1);
  }

  /**
   * Sets the log's tail, which was unknown until now. Errors: `fence_lost` if a writer with a
   * higher fence has written to the log.
   */
  setTail(found: { tail: number; fence: WriterPosition['fence'] }): void {
    guardFence({ log: this.name, fence: this.#scope.fence }, found.fence);
    this.settle(0, found.tail + 1);
  }

  /** Drops all buffered events. From now on every flush throws the error. */
  fail(error: Error): void {
    this.#error ??= error;
    this.#buffer = [];
    this.#bufferedBytes = 0;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.reject(this.#error);
  }

  #blockUntil(ready: Promise<unknown>): void {
    this.#isBlocked = true;
    this.#resumeAfter(ready, () => (this.#isBlocked = false));
  }

  #resumeAfter(condition: Promise<unknown>, unblock: () => void): void {
    condition.then(
      () => {
        unblock();
        if (this.hasWork) this.#hooks.ready(this, true);
      },
      (error: unknown) => this.fail(error instanceof Error ? error : new Error(String(error))),
    );
  }

  #isFull(bytes: number): boolean {
    if (this.#bufferedBytes + bytes > MAX_BUFFERED_BYTES || this.#buffer.length >= MAX_BUFFERED_EVENTS) {
      const held = `${this.#buffer.length} events of ${this.#bufferedBytes} bytes`;
      this.fail(
        new ColloquyError(
          'too_large',
          `run ${this.#scope.runId} writes events faster than the database stores them: ${held} wait`,
        ),
      );
    }
    return this.#error !== undefined;
  }

  #batchLength(): number {
    let bytes = 0;
    let length = 0;
    for (const event of this.#buffer) {
      bytes += event.bytes;
      if (event.isBlocked || (length > 0 && (bytes > MAX_BATCH_BYTES || length === MAX_BATCH_EVENTS))) break;
      length += 1;
    }
    return length;
  }
}
