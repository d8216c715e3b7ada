import type { Collection } from 'mongodb';
import pLimit from 'p-limit';
import { MAX_BATCH_EVENTS, batchBytes, type EventBatch } from './event-batch.js';
import type { EventDocument } from './log-tail.js';

/** Batches of one page. */
const PAGE_BATCHES = 64;
const PAGE_BYTES = 8 * 2 ** 20;
/** Most batches have fewer events: who looks for the one before a place looks so far back first, as SecantusDB reads all that a filter lets through. */
const NEAR_OFFSETS = 32;
/** Reads of a process at a time. A hundred at once, of followers that begin together, take a busy database longer than one after the other. */
const READS_AT_ONCE = 8;

export interface Page {
  batches: EventBatch[];
  /** There was no more in the range. */
  isLast: boolean;
}

/** Reads ranges of logs: few at a time, and once for all who ask for the same before its turn has come. */
export class PageReads {
  readonly #events: Collection<EventDocument>;
  readonly #limit = pLimit(READS_AT_ONCE);
  readonly #waiting = new Map<string, Promise<Page>>();

  constructor(events: Collection<EventDocument>) {
    this.#events = events;
  }

  /** Batches that begin at `from` or later, and below `below`, in order. */
  range(log: string, from: number, below?: number): Promise<Page> {
    return this.#once(`${log} ${from} ${below}`, () => this.#range(log, from, below));
  }

  /** The batch that began before `from` and may go beyond it. */
  before(log: string, from: number): Promise<Page> {
    return this.#once(`${log} before ${from}`, () => this.#before(log, from));
  }

  /** A read that has begun is not shared: who asks later wants to see what has come since. */
  #once(key: string, read: () => Promise<Page>): Promise<Page> {
    const waiting = this.#waiting.get(key);
    if (waiting !== undefined) return waiting;
    const page = this.#limit(() => {
      this.#waiting.delete(key);
      return read();
    });
    this.#waiting.set(key, page);
    return page;
  }

  async #range(log: string, from: number, below: number | undefined): Promise<Page> {
    const seq = { $gte: from, ...(below !== undefined && { $lt: below }) };
    const options = { sort: { log: 1, seq: 1 }, limit: PAGE_BATCHES, batchSize: PAGE_BATCHES } as const;
    const batches: EventBatch[] = [];
    let bytes = 0;
    for await (const batch of this.#events.find<EventBatch>({ log, seq }, options)) {
      batches.push(batch);
      bytes += batchBytes(batch);
      if (bytes > PAGE_BYTES) return { batches, isLast: false };
    }
    return { batches, isLast: batches.length < PAGE_BATCHES };
  }

  async #before(log: string, from: number): Promise<Page> {
    const last = (offsets: number) =>
      this.#events.findOne<EventBatch>(
        { log, seq: { $gte: Math.max(1, from - offsets), $lt: from } },
        { sort: { log: -1, seq: -1 } },
      );
    const near = await last(NEAR_OFFSETS);
    const batch = near ?? (from > NEAR_OFFSETS ? await last(MAX_BATCH_EVENTS) : null);
    return { batches: batch === null ? [] : [batch], isLast: true };
  }
}
