import { loggedEvents, type EventBatch, type LoggedEvent } from './event-batch.js';
import type { PageReads } from './page-reads.js';

/** Offsets that a read looks at first, so that a server which sorts in memory has little to sort. */
const PAGE_OFFSETS = 512;

/** Reads batches of one log in order. */
export class EventReader {
  readonly #reads: PageReads;
  readonly #log: string;
  /** Offset of the last event that was read. */
  #at: number;
  #placed: boolean;
  #atEnd = false;

  /** `isPlaced`: no batch goes over the place it starts at. */
  constructor(reads: PageReads, log: string, afterSeq: number, isPlaced: boolean) {
    this.#reads = reads;
    this.#log = log;
    this.#at = afterSeq;
    this.#placed = isPlaced;
  }

  /** Offset of the next event. */
  get next(): number {
    return this.#at + 1;
  }

  /** The last page held all there was. */
  get atEnd(): boolean {
    return this.#atEnd;
  }

  /**
   * Events that follow; empty when there are none yet. Offsets have no holes while they are written (a batch is one document, and starts
   * where another ended), so offsets that are missing have expired and are passed over; many of them only by a look `far` ahead.
   *
   * A hole is looked at twice: a scan beside a writer may be past the place of a batch when that comes, and still meet the next one, which
   * was written after it. What is not there when it is looked for again has expired.
   */
  async page(far = true): Promise<LoggedEvent[]> {
    let events = await this.#read(far);
    if (events[0] !== undefined && events[0].seq > this.next) events = await this.#read(far);
    const whole = events.findIndex(({ seq }, index) => seq !== (events[0]?.seq ?? 0) + index);
    if (whole > 0) {
      events = events.slice(0, whole);
      this.#atEnd = false;
    }
    this.#placed = true;
    this.#at = events.at(-1)?.seq ?? this.#at;
    return events;
  }

  /** Events of batches that go on where this reader is. */
  take(batches: EventBatch[]): LoggedEvent[] {
    const events = batches.flatMap((batch) => {
      const more = loggedEvents(batch, this.#at);
      this.#at = Math.max(this.#at, batch.seq + batch.count - 1);
      return more;
    });
    this.#placed = true;
    return events;
  }

  async #read(far: boolean): Promise<LoggedEvent[]> {
    const [batches, begun] = await Promise.all([this.#batches(far), this.#begun()]);
    return [...begun, ...batches].flatMap((batch) => loggedEvents(batch, this.#at));
  }

  async #batches(far: boolean): Promise<EventBatch[]> {
    const end = this.next + PAGE_OFFSETS;
    const near = await this.#find(end);
    if (near.length === 0 && far) return this.#find();
    const last = near.at(-1);
    if (last !== undefined && last.seq + last.count >= end) this.#atEnd = false; // there may be more beyond
    return near;
  }

  /** The batch that began at or before the place asked for and goes beyond it; a client may have seen half of it. */
  async #begun(): Promise<EventBatch[]> {
    return this.#placed ? [] : (await this.#reads.before(this.#log, this.next)).batches;
  }

  async #find(below?: number): Promise<EventBatch[]> {
    const { batches, isLast } = await this.#reads.range(this.#log, this.next, below);
    this.#atEnd = isLast;
    return batches;
  }
}
