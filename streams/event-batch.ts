import type { Fence, StoredEvent } from '../protocol/index.js';
import type { LargeText } from './large-texts.js';
import type { EventReference } from './ports.js';

/**
 * One write to one log: consecutive events of one run by one writer. A batch is one document, so
 * MongoDB stores all of it or nothing. Its `_id` contains the offset of the first event, so two
 * writers cannot both continue from the same offset.
 */
export interface StoredBatch {
  _id: string;
  /** `<tenant>/<threadId>` */
  log: string;
  /** Offset of the first event. */
  seq: number;
  count: number;
  runId: string;
  fence: Fence;
  /**
   * Random id of the writer. It shows whether a duplicate key comes from the writer's own retry.
   */
  writer: string;
  events: BatchedEvent[];
  expiresAt: Date;
}

export interface BatchedEvent {
  ns: string;
  event: string;
  /** JSON text without the values that `refs` stand for. Empty if `large` is set. */
  data: string;
  refs?: EventReference[];
  /** Set if the text is stored in parts, because it is too large for a batch. */
  large?: LargeText;
  at: Date;
}

/** An event as the log stores it: references and large texts are not resolved yet. */
export type LoggedEvent = StoredEvent & Pick<BatchedEvent, 'refs' | 'large'>;

/**
 * Keeps the tail of a log whose events have all expired. It never expires. It sorts below every
 * batch and above older marks of the log.
 */
export interface TailMark {
  _id: string;
  log: string;
  /** Offset of the last event, minus {@link MARK_SHIFT}. */
  seq: number;
}

/**
 * Also the number of offsets that a reader searches back for the batch that contains its offset.
 */
export const MAX_BATCH_EVENTS = 1_000;
const SEQ_WIDTH = 12;
export const MARK_SHIFT = 10 ** SEQ_WIDTH;

export function logName(tenant: string, threadId: string): string {
  return `${tenant}/${threadId}`;
}

export function batchKey(log: string, seq: number): string {
  return `${log}/${String(seq).padStart(SEQ_WIDTH, '0')}`;
}

/** The log and the first offset of a batch from its `_id`. Returns undefined for a tail mark. */
export function parseBatchKey(key: string): { log: string; seq: number } | undefined {
  const slash = key.lastIndexOf('/');
  const seq = Number(key.slice(slash + 1));
  return Number.isSafeInteger(seq) && seq > 0 ? { log: key.slice(0, slash), seq } : undefined;
}

export function tailMark(log: string, tail: number): TailMark {
  return { _id: `${log}/#${String(tail).padStart(SEQ_WIDTH, '0')}`, log, seq: tail - MARK_SHIFT };
}

export function isBatch(document: StoredBatch | TailMark): document is StoredBatch {
  return 'events' in document;
}

/** Size of a batch's texts in UTF-16 code units, as a cheap approximation of bytes. */
export function approximateBytes(batch: Pick<StoredBatch, 'events'>): number {
  return batch.events.reduce((sum, event) => sum + event.data.length, 0);
}

/** Caches the events of a batch, because many followers of one log read the same batch. */
const eventsByBatch = new WeakMap<StoredBatch, LoggedEvent[]>();

/** The events of a batch whose offset is above `afterSeq`. */
export function eventsOfBatch(batch: StoredBatch, afterSeq: number): LoggedEvent[] {
  let all = eventsByBatch.get(batch);
  if (all === undefined) {
    const [tenant = '', threadId = ''] = batch.log.split('/');
    const { runId, fence, seq } = batch;
    all = batch.events.map((event, index) => ({ tenant, threadId, seq: seq + index, runId, fence, ...event }));
    eventsByBatch.set(batch, all);
  }
  return afterSeq < batch.seq ? all : all.slice(afterSeq - batch.seq + 1);
}
