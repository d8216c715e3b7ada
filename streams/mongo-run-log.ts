import { randomUUID } from 'node:crypto';
import { ColloquyError, CONTROL_EVENTS } from '../protocol/index.js';
import {
  MAX_BATCH_EVENTS,
  batchKey,
  tailMark,
  type BatchedEvent,
  type EventBatch,
  type TailMark,
} from './event-batch.js';
import { guardFence, type WriterPlace } from './log-tail.js';
import type { LargeText } from './large-texts.js';
import type { NewEvent, RunLog, RunLogScope } from './ports.js';

/** The text of a larger event is stored beside the log. */
const MAX_EVENT_BYTES = 8 * 2 ** 20;
const MAX_BATCH_BYTES = 4 * 2 ** 20;
/** Bounds what a log may hold that the database has not taken yet. */
const MAX_BUFFERED_BYTES = 32 * 2 ** 20;
const MAX_BUFFERED_EVENTS = 100_000;

interface BufferedEvent extends BatchedEvent {
  bytes: number;
  /** What it stands on is not stored yet. */
  waits?: boolean;
}

interface Waiter {
  /** Resolves once this many events of the log are durable. */
  events: number;
  resolve: (tail: number) => void;
  reject: (error: Error) => void;
}

export interface RunLogEvents {
  /** The log has something to write; urgent: now. */
  ready(log: MongoRunLog, urgent: boolean): void;
  closed(log: MongoRunLog): void;
  /** Stores a text beside the log. */
  storeText(log: string, text: string): { large: LargeText; stored: Promise<void> };
}

/**
 * Buffer and place of one writer of a log. It decides nothing about time: {@link BatchWriter} takes a batch, writes it and tells the outcome.
 * Events leave the buffer when they are durable, so a batch that may have been lost is taken again, from the same offset.
 */
export class MongoRunLog implements RunLog {
  readonly name: string;
  readonly signal: AbortSignal | undefined;
  /** Failed writes in a row. */
  failures = 0;
  /** A write or a read of the tail is under way. */
  busy = false;
  readonly #scope: RunLogScope;
  readonly #hooks: RunLogEvents;
  readonly #writer = randomUUID();
  #buffer: BufferedEvent[] = [];
  #bufferedBytes = 0;
  #appended = 0;
  #durable = 0;
  /** Offset of the next event to write; unknown until the tail was read. */
  #next: number | undefined;
  #waiters: Waiter[] = [];
  #error: Error | undefined;
  #held = false;
  #closed = false;

  constructor(name: string, scope: RunLogScope, hooks: RunLogEvents) {
    this.name = name;
    this.signal = scope.signal;
    this.#scope = scope;
    this.#hooks = hooks;
    if (scope.tail !== undefined) this.#next = scope.tail + 1;
    if (scope.begins !== undefined) this.#hold(scope.begins);
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
    buffered.waits = true;
    this.#once(after, () => delete buffered.waits);
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

  /** Where the log goes on; `undefined` while its tail is unknown. */
  get place(): WriterPlace | undefined {
    if (this.#next === undefined) return undefined;
    return { log: this.name, seq: this.#next, fence: this.#scope.fence, writer: this.#writer };
  }

  get hasWork(): boolean {
    return this.#error === undefined && !this.#held && (this.#buffer.length > 0 || this.#waiters.length > 0);
  }

  get isUrgent(): boolean {
    return this.#waiters.length > 0;
  }

  /** Next batch, and the tail mark where it ends a run. `undefined` when there is nothing to write or the tail is unknown. */
  take(retentionMs: number): [EventBatch, ...TailMark[]] | undefined {
    const seq = this.#next;
    if (seq === undefined || this.#buffer.length === 0) return undefined;
    const length = this.#batchLength();
    if (length === 0) return undefined;
    const events = this.#buffer.slice(0, length).map(({ bytes: _, ...event }) => event);
    const batch: EventBatch = {
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

  /** The first `count` events of the buffer are durable; the next goes to offset `next`. */
  settle(count: number, next: number): void {
    for (const event of this.#buffer.splice(0, count)) this.#bufferedBytes -= event.bytes;
    this.#durable += count;
    this.#next = next;
    this.failures = 0;
    const done = this.#waiters.filter((waiter) => waiter.events <= this.#durable);
    this.#waiters = this.#waiters.filter((waiter) => waiter.events > this.#durable);
    for (const waiter of done) waiter.resolve(next - 1);
  }

  /** The log's tail, read because it was unknown. */
  begin(found: { tail: number; fence: WriterPlace['fence'] }): void {
    guardFence({ log: this.name, fence: this.#scope.fence }, found.fence);
    this.settle(0, found.tail + 1);
  }

  /** Ends the log: everything buffered is dropped, every flush throws. */
  fail(error: Error): void {
    this.#error ??= error;
    this.#buffer = [];
    this.#bufferedBytes = 0;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) waiter.reject(this.#error);
  }

  #hold(begins: Promise<unknown>): void {
    this.#held = true;
    this.#once(begins, () => (this.#held = false));
  }

  #once(given: Promise<unknown>, go: () => void): void {
    given.then(
      () => {
        go();
        if (this.hasWork) this.#hooks.ready(this, true);
      },
      (error: unknown) => this.fail(error instanceof Error ? error : new Error(String(error))),
    );
  }

  #isFull(bytes: number): boolean {
    if (this.#bufferedBytes + bytes > MAX_BUFFERED_BYTES || this.#buffer.length >= MAX_BUFFERED_EVENTS) {
      const held = `${this.#buffer.length} events of ${this.#bufferedBytes} bytes`;
      this.fail(
        new ColloquyError('too_large', `run ${this.#scope.runId} sends faster than the event log takes: ${held} wait`),
      );
    }
    return this.#error !== undefined;
  }

  #batchLength(): number {
    let bytes = 0;
    let length = 0;
    for (const event of this.#buffer) {
      bytes += event.bytes;
      if (event.waits || (length > 0 && (bytes > MAX_BATCH_BYTES || length === MAX_BATCH_EVENTS))) break;
      length += 1;
    }
    return length;
  }
}
