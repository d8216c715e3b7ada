import type { Collection } from 'mongodb';
import pLimit from 'p-limit';
import { MAX_BATCH_EVENTS, approximateBytes, type StoredBatch } from './event-batch.js';
import type { EventDocument } from './log-tail.js';

const PAGE_BATCHES = 64;
const PAGE_BYTES = 8 * 2 ** 20;
/**
 * `batchBefore(log, from)` first searches this number of offsets before `from`. Most batches have
 * fewer events. If it finds no batch, it searches {@link MAX_BATCH_EVENTS} offsets. The first
 * search is narrow, because some databases read every batch that the filter matches.
 */
const NEAR_OFFSETS = 32;
/**
 * Maximum number of concurrent reads of this process. A busy database needs more time in total for
 * a hundred reads at once than for the same reads in small groups.
 */
const MAX_CONCURRENT_READS = 8;

interface BatchPage {
  batches: StoredBatch[];
  /** Whether the page contains all remaining batches of the requested range. */
  isLast: boolean;
}

/**
 * Reads batches by their offsets, with a limit for concurrent reads. Callers that ask for the same
 * offsets share one read while that read waits in the queue.
 */
export class PageReads {
  readonly #events: Collection<EventDocument>;
  readonly #limit = pLimit(MAX_CONCURRENT_READS);
  readonly #queued = new Map<string, Promise<BatchPage>>();

  constructor(events: Collection<EventDocument>) {
    this.#events = events;
  }

  /** Returns the batches whose first offset is at least `from` and below `below`, in order. */
  range(log: string, from: number, below?: number): Promise<BatchPage> {
    return this.#share(`${log} ${from} ${below}`, () => this.#range(log, from, below));
  }

  /**
   * Returns the last batch whose first offset is below `from`, because this batch may contain the
   * event with the offset `from`. Searches at most {@link MAX_BATCH_EVENTS} offsets back: a batch
   * that starts earlier cannot contain this event. Returns an empty page if it finds no batch.
   */
  batchBefore(log: string, from: number): Promise<BatchPage> {
    return this.#share(`${log} before ${from}`, () => this.#batchBefore(log, from));
  }

  /**
   * Returns the result of `read`. Calls of `read` wait for a free slot. Callers with the same
   * key share a call that still waits. A caller does not share a call that has started, because it
   * must also get the batches that were written after that start.
   */
  #share(key: string, read: () => Promise<BatchPage>): Promise<BatchPage> {
    const queued = this.#queued.get(key);
    if (queued !== undefined) return queued;
    const page = this.#limit(() => {
      this.#queued.delete(key);
      return read();
    });
    this.#queued.set(key, page);
    return page;
  }

  async #range(log: string, from: number, below: number | undefined): Promise<BatchPage> {
    const seq = { $gte: from, ...(below !== undefined && { $lt: below }) };
    const options = { sort: { log: 1, seq: 1 }, limit: PAGE_BATCHES, batchSize: PAGE_BATCHES } as const;
    const batches: StoredBatch[] = [];
    let bytes = 0;
    for await (const batch of this.#events.find<StoredBatch>({ log, seq }, options)) {
      batches.push(batch);
      bytes += approximateBytes(batch);
      if (bytes > PAGE_BYTES) return { batches, isLast: false };
    }
    return { batches, isLast: batches.length < PAGE_BATCHES };
  }

  async #batchBefore(log: string, from: number): Promise<BatchPage> {
    const last = (offsets: number) =>
      this.#events.findOne<StoredBatch>(
        { log, seq: { $gte: Math.max(1, from - offsets), $lt: from } },
        { sort: { log: -1, seq: -1 } },
      );
    const near = await last(NEAR_OFFSETS);
    const batch = near ?? (from > NEAR_OFFSETS ? await last(MAX_BATCH_EVENTS) : null);
    return { batches: batch === null ? [] : [batch], isLast: true };
  }
}
