import type { Fence, StoredEvent } from '../protocol/index.js';
import type { LargeText } from './large-texts.js';
import type { EventReference } from './ports.js';

/**
 * The events of one write to one log: consecutive events of one run, from one writer. A batch is
 * one document, so MongoDB stores all of it or nothing. Its `_id` contains the offset of the first
 * event, so two writers cannot both continue from the same offset.
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
   * Random id of the writer. If a write fails with a duplicate key, the id shows whether the same
   * writer stored the batch in an earlier attempt.
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
  /** Set if the text is too large for a batch. The text is then stored in parts. */
  large?: LargeText;
  at: Date;
}

/**
 * An event as the log stores it: its references and large text are not replaced by the values yet.
 */
export type LoggedEvent = StoredEvent & Pick<BatchedEvent, 'refs' | 'large'>;

/**
 * Keeps the tail of a log after all events of the log have expired. A mark itself never expires. In
 * ascending order of `seq`, a mark comes before every batch and after the older marks of the log.
 */
export interface TailMark {
  _id: string;
  log: string;
  /** Offset of the last event, minus {@link MARK_SHIFT}. */
  seq: number;
}

/**
 * Limit for the events of a batch. A reader searches this many offsets back for the batch that
 * contains its offset.
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

/** Reads log and first offset of a batch from its `_id`. Returns undefined for a tail mark. */
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

/** Returns the size of a batch's texts in UTF-16 code units, a cheap approximation of bytes. */
export function approximateBytes(batch: Pick<StoredBatch, 'events'>): number {
  return batch.events.reduce((sum, event) => sum + event.data.length, 0);
}

/** Caches the events of each batch, because many followers of one log read the same batch. */
const eventsByBatch = new WeakMap<StoredBatch, LoggedEvent[]>();

/** Returns those events of a batch that have an offset above `afterSeq`. */
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
