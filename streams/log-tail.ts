import { LRUCache } from 'lru-cache';
import type { Collection, Filter } from 'mongodb';
import { ColloquyError, NO_FENCE, type Fence } from '../protocol/index.js';
import { MARK_SHIFT, batchKey, type StoredBatch, type TailMark } from './event-batch.js';

export type EventDocument = StoredBatch | TailMark;

type BatchHead = Pick<StoredBatch, '_id' | 'seq' | 'count' | 'fence' | 'writer'>;

const HEAD_FIELDS = { seq: 1, count: 1, fence: 1, writer: 1 } as const;

export interface WriterPosition {
  log: string;
  /** Offset that the writer uses for its next event. */
  seq: number;
  fence: Fence;
  writer: string;
}

const MAX_CACHED_LOGS = 10_000;

/**
 * Reads the tail of a log: the offset of its last event, and the fence of the attempt that wrote
 * this event.
 */
export class LogTails {
  readonly #events: Collection<EventDocument>;
  /**
   * For each log, the first and last offset of the newest batch that was read. The next search for
   * the last event starts at this batch. A search from the beginning would read all batches of the
   * log on a database that sorts without an index.
   */
  readonly #lastBatches = new LRUCache<string, { seq: number; end: number }>({ max: MAX_CACHED_LOGS });

  constructor(events: Collection<EventDocument>) {
    this.#events = events;
  }

  /**
   * Returns the offset of the log's last event, and the fence of that event's writer. If no event
   * is stored (any more), the fence is `NO_FENCE`, and the offset comes from the newest
   * {@link TailMark}. Without such a mark, the offset is 0.
   */
  async read(log: string): Promise<{ tail: number; fence: Fence }> {
    const known = this.#lastBatches.get(log);
    const last =
      (known === undefined ? null : await this.#last({ log, seq: { $gte: known.seq } })) ?? (await this.#last({ log }));
    if (last?.seq === undefined) return { tail: 0, fence: NO_FENCE };
    if (last.count === undefined) return { tail: last.seq + MARK_SHIFT, fence: NO_FENCE };
    const end = last.seq + last.count - 1;
    this.#lastBatches.set(log, { seq: last.seq, end });
    return { tail: end, fence: last.fence ?? NO_FENCE };
  }

  /**
   * Returns whether a batch is known to end at this offset. If so, the next offset starts a new
   * batch.
   */
  isBatchEnd(log: string, offset: number): boolean {
    return offset === 0 || this.#lastBatches.peek(log)?.end === offset;
  }

  /**
   * Forgets what is cached about a log. Call this after the log was deleted, because a new log of
   * the same name starts at offset 1.
   */
  forget(log: string): void {
    this.#lastBatches.delete(log);
  }

  /**
   * Decides how a writer continues after its write of a batch failed with a duplicate key. There
   * are two cases. If the writer itself has stored the batch and only the response was lost, `own`
   * is the number of events in that batch. If another writer has appended events, `own` is 0. In
   * both cases, `next` is the offset for the writer's next event. Errors: `fence_lost` if the other
   * writer has a higher fence.
   */
  async resolveConflict(position: WriterPosition): Promise<{ own: number; next: number }> {
    const [existing, last] = await Promise.all([
      this.#events.findOne<BatchHead>({ _id: batchKey(position.log, position.seq) }, { projection: HEAD_FIELDS }),
      this.read(position.log),
    ]);
    if (existing?.writer === position.writer) return { own: existing.count, next: position.seq + existing.count };
    guardFence(position, last.fence);
    return { own: 0, next: last.tail + 1 };
  }

  #last(filter: Filter<EventDocument>): Promise<Partial<BatchHead> | null> {
    return this.#events.findOne<Partial<BatchHead>>(filter, { projection: HEAD_FIELDS, sort: { log: -1, seq: -1 } });
  }
}

/**
 * Throws if `found`, the fence of the log's last event, is higher than the writer's own fence.
 * Errors: `fence_lost`.
 */
export function guardFence(position: Pick<WriterPosition, 'log' | 'fence'>, found: Fence): void {
  if (found > position.fence) {
    throw new ColloquyError(
      'fence_lost',
      `event log ${position.log} was written with the higher fence ${found}; the writer with ${position.fence} must stop`,
    );
  }
}
