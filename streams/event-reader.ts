import { eventsOfBatch, type StoredBatch, type LoggedEvent } from './event-batch.js';
import type { PageReads } from './page-reads.js';

/**
 * A read asks for this many offsets first, so that a server that sorts in memory sorts few batches.
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

  /** `startsAtBatch`: no batch contains both `afterSeq` and the offset after it. */
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

  /** Whether the last page contained all events up to the log's end. */
  get atEnd(): boolean {
    return this.#atEnd;
  }

  /**
   * Returns the next events; empty if there are none yet. Writers leave no gap between offsets, so
   * events before a gap's end have expired, and the reader skips them. `scanAhead` searches the
   * whole rest of the log if the next offsets are empty; without it a long gap is not crossed.
   *
   * A gap is read twice. A scan during a write may miss a batch and still return the next batch,
   * which was written later. Events that are missing in the second read have expired.
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

  /** Takes batches that continue at the reader's offset, and returns their events. */
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

  /** The batch that starts before the next offset and may contain it. */
  async #overlappingBatch(): Promise<StoredBatch[]> {
    return this.#startsAtBatch ? [] : (await this.#reads.batchBefore(this.#log, this.next)).batches;
  }

  async #find(below?: number): Promise<StoredBatch[]> {
    const { batches, isLast } = await this.#reads.range(this.#log, this.next, below);
    this.#atEnd = isLast;
    return batches;
  }
}
