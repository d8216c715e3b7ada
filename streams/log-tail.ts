import { LRUCache } from 'lru-cache';
import type { Collection, Filter } from 'mongodb';
import { ColloquyError, NO_FENCE, type Fence } from '../protocol/index.js';
import { MARK_SHIFT, batchKey, type EventBatch, type TailMark } from './event-batch.js';

export type EventDocument = EventBatch | TailMark;

type BatchHead = Pick<EventBatch, '_id' | 'seq' | 'count' | 'fence' | 'writer'>;

const HEAD = { seq: 1, count: 1, fence: 1, writer: 1 } as const;

export interface WriterPlace {
  log: string;
  /** Offset the writer wanted for its next event. */
  seq: number;
  fence: Fence;
  writer: string;
}

/** Logs whose place is remembered. */
const MAX_KNOWN = 10_000;

/** Finds the ends of logs. */
export class LogTails {
  readonly #events: Collection<EventDocument>;
  /** A batch that was the last of its log once, by its first and last offset: SecantusDB reads what it sorts, so it is asked for no more than what came since. */
  readonly #known = new LRUCache<string, { seq: number; end: number }>({ max: MAX_KNOWN });

  constructor(events: Collection<EventDocument>) {
    this.#events = events;
  }

  /** Offset of a log's last event, 0 without one, and the fence of who wrote it. */
  async read(log: string): Promise<{ tail: number; fence: Fence }> {
    const known = this.#known.get(log);
    const last =
      (known === undefined ? null : await this.#last({ log, seq: { $gte: known.seq } })) ?? (await this.#last({ log }));
    if (last?.seq === undefined) return { tail: 0, fence: NO_FENCE };
    if (last.count === undefined) return { tail: last.seq + MARK_SHIFT, fence: NO_FENCE };
    const end = last.seq + last.count - 1;
    this.#known.set(log, { seq: last.seq, end });
    return { tail: end, fence: last.fence ?? NO_FENCE };
  }

  /** Whether a batch is known to have ended at an offset: what follows it begins with another one. */
  isEnd(log: string, offset: number): boolean {
    return offset === 0 || this.#known.peek(log)?.end === offset;
  }

  /** The log is gone; another of its name begins anew. */
  forget(log: string): void {
    this.#known.delete(log);
  }

  /**
   * What to do after the wanted offset was found taken. Either the batch there is the writer's own, sent twice because an answer was lost: its
   * `own` first events are durable. Or somebody else appended: go on after the tail. Errors: `fence_lost` when a higher fence wrote.
   */
  async resolveConflict(place: WriterPlace): Promise<{ own: number; next: number }> {
    const [taken, last] = await Promise.all([
      this.#events.findOne<BatchHead>({ _id: batchKey(place.log, place.seq) }, { projection: HEAD }),
      this.read(place.log),
    ]);
    if (taken?.writer === place.writer) return { own: taken.count, next: place.seq + taken.count };
    guardFence(place, last.fence);
    return { own: 0, next: last.tail + 1 };
  }

  #last(filter: Filter<EventDocument>): Promise<Partial<BatchHead> | null> {
    return this.#events.findOne<Partial<BatchHead>>(filter, { projection: HEAD, sort: { log: -1, seq: -1 } });
  }
}

/** Errors: `fence_lost` when a writer with a higher fence was at the log. */
export function guardFence(place: Pick<WriterPlace, 'log' | 'fence'>, found: Fence): void {
  if (found > place.fence) {
    throw new ColloquyError(
      'fence_lost',
      `event log ${place.log} is written with fence ${found}; ${place.fence} must stop`,
    );
  }
}
