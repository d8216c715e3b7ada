import { eventsOfBatch, type StoredBatch, type LoggedEvent } from './event-batch.js';
import type { PageReads } from './page-reads.js';

/**
 * A read first asks for only this many offsets. So a database that sorts in memory has few batches
 * to sort.
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
   * If not, the first read also looks for a batch that contains events on both sides of `afterSeq`.
   */
  constructor(reads: PageReads, log: string, afterSeq: number, startsAtBatch: boolean) {
    this.#reads = reads;
    this.#log = log;
    this.#lastSeq = afterSeq;
    this.#startsAtBatch = startsAtBatch;
  }

  /** Offset of the next event. */
  get next(): number {
    return this.#lastSeq + 1;
  }

  /** Whether the last page contained all remaining events of the log. */
  get atEnd(): boolean {
    return this.#atEnd;
  }

  /**
   * Returns the next events, or an empty list if there are none yet. Writers leave no gap between
   * offsets. So if offsets are missing before an event, their events have expired, and the reader
   * skips them. `scanAhead` searches the whole rest of the log if the next offsets have no events.
   * Without `scanAhead` the reader cannot cross a long gap.
   *
   * A gap is read twice. A read during a write may miss a batch and still return the next batch,
   * which was written later. Events that the second read does not find either have expired.
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
   * Returns the new events of batches that the hub delivered. The batches must continue at the
   * reader's offset. Afterwards the reader continues after these batches.
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

  /** Reads the batch that starts before the next offset, because it may contain this offset. */
  async #overlappingBatch(): Promise<StoredBatch[]> {
    return this.#startsAtBatch ? [] : (await this.#reads.batchBefore(this.#log, this.next)).batches;
  }

  async #find(below?: number): Promise<StoredBatch[]> {
    const { batches, isLast } = await this.#reads.range(this.#log, this.next, below);
    this.#atEnd = isLast;
    return batches;
  }
}
