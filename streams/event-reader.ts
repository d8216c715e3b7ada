import { eventsOfBatch, type StoredBatch, type LoggedEvent } from './event-batch.js';
import type { PageReads } from './page-reads.js';

/**
 * A read first searches only this many offsets. The limit is for databases that sort the found
 * batches in memory: it keeps the number of these batches small.
 */
const FIRST_READ_OFFSETS = 512;

/** Reads the events of one log in order. */
export class EventReader {
  readonly #reads: PageReads;
  readonly #log: string;
  /** Offset of the last event that this reader returned. */
  #lastSeq: number;
  #startsAtBatch: boolean;
  #atEnd = false;

  /**
   * `startsAtBatch`: whether the event after `afterSeq` is known to be the first event of a batch.
   * If not, a batch that starts at an earlier offset may contain this event. So the first read also
   * reads that batch.
   */
  constructor(reads: PageReads, log: string, afterSeq: number, startsAtBatch: boolean) {
    this.#reads = reads;
    this.#log = log;
    this.#lastSeq = afterSeq;
    this.#startsAtBatch = startsAtBatch;
  }

  /** Offset of the event that the reader returns next. */
  get next(): number {
    return this.#lastSeq + 1;
  }

  /** Whether the page that was returned last contained all remaining events of the log. */
  get atEnd(): boolean {
    return this.#atEnd;
  }

  /**
   * Returns the next events, or an empty list if there are none yet. Writers leave no gap between
   * offsets, so missing offsets mean that their events have expired. The reader skips them. If the
   * next {@link FIRST_READ_OFFSETS} offsets have no events, it searches the whole rest of the log,
   * or stops there if `scanAhead` is false.
   *
   * A read during a write may miss a batch and still return a batch that was written later. So the
   * reader reads a gap a second time before it skips the gap. For this second read, a page ends
   * where a gap begins, and the next page begins with the gap.
   */
  async page(scanAhead = true): Promise<LoggedEvent[]> {
    let events = await this.#read(scanAhead);
    if (events[0] !== undefined && events[0].seq > this.next) events = await this.#read(scanAhead);
    const gap = events.findIndex(({ seq }, index) => seq !== (events[0]?.seq ?? 0) + index);
    if (gap > 0) {
      events = events.slice(0, gap);
      this.#atEnd = false;
    }
    this.#startsAtBatch = true;
    this.#lastSeq = events.at(-1)?.seq ?? this.#lastSeq;
    return events;
  }

  /**
   * Takes batches that `LiveBatchHub` has delivered. One of them must contain the offset
   * {@link next}. Returns the events in them that the reader has not returned yet. The reader
   * then continues after these batches.
   */
  take(batches: StoredBatch[]): LoggedEvent[] {
    const events = batches.flatMap((batch) => {
      const events = eventsOfBatch(batch, this.#lastSeq);
      this.#lastSeq = Math.max(this.#lastSeq, batch.seq + batch.count - 1);
      return events;
    });
    this.#startsAtBatch = true;
    return events;
  }

  async #read(scanAhead: boolean): Promise<LoggedEvent[]> {
    const [batches, overlapping] = await Promise.all([this.#batches(scanAhead), this.#overlappingBatch()]);
    return [...overlapping, ...batches].flatMap((batch) => eventsOfBatch(batch, this.#lastSeq));
  }

  async #batches(scanAhead: boolean): Promise<StoredBatch[]> {
    const end = this.next + FIRST_READ_OFFSETS;
    const batches = await this.#find(end);
    if (batches.length === 0 && scanAhead) return this.#find();
    const last = batches.at(-1);
    if (last !== undefined && last.seq + last.count >= end) this.#atEnd = false; // more batches may follow
    return batches;
  }

  /** Returns the batch that starts before the next offset, because it may contain this offset. */
  async #overlappingBatch(): Promise<StoredBatch[]> {
    return this.#startsAtBatch ? [] : (await this.#reads.batchBefore(this.#log, this.next)).batches;
  }

  async #find(below?: number): Promise<StoredBatch[]> {
    const { batches, isLast } = await this.#reads.range(this.#log, this.next, below);
    this.#atEnd = isLast;
    return batches;
  }
}
