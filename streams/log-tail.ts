import type { Collection } from 'mongodb';
import { ColloquyError, NO_FENCE, type Fence } from '../protocol/index.js';
import { MARK_SHIFT, batchKey, type EventBatch, type TailMark } from './event-batch.js';

export type EventDocument = EventBatch | TailMark;

type BatchHead = Pick<EventBatch, '_id' | 'seq' | 'count' | 'fence' | 'writer'>;

const HEAD = { seq: 1, count: 1, fence: 1, writer: 1 } as const;

/** Offset of a log's last event, 0 without one, and the fence of who wrote it. */
export async function readTail(
  events: Collection<EventDocument>,
  log: string,
): Promise<{ tail: number; fence: Fence }> {
  const last = await events.findOne<Partial<BatchHead>>({ log }, { projection: HEAD, sort: { log: -1, seq: -1 } });
  if (last?.seq === undefined) return { tail: 0, fence: NO_FENCE };
  if (last.count === undefined) return { tail: last.seq + MARK_SHIFT, fence: NO_FENCE };
  return { tail: last.seq + last.count - 1, fence: last.fence ?? NO_FENCE };
}

export interface WriterPlace {
  log: string;
  /** Offset the writer wanted for its next event. */
  seq: number;
  fence: Fence;
  writer: string;
}

/**
 * What to do after the wanted offset was found taken. Either the batch there is the writer's own, sent twice because an answer was lost: its
 * `own` first events are durable. Or somebody else appended: go on after the tail. Errors: `fence_lost` when a higher fence wrote.
 */
export async function resolveConflict(
  events: Collection<EventDocument>,
  place: WriterPlace,
): Promise<{ own: number; next: number }> {
  const [taken, last] = await Promise.all([
    events.findOne<BatchHead>({ _id: batchKey(place.log, place.seq) }, { projection: HEAD }),
    readTail(events, place.log),
  ]);
  if (taken?.writer === place.writer) return { own: taken.count, next: place.seq + taken.count };
  guardFence(place, last.fence);
  return { own: 0, next: last.tail + 1 };
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
