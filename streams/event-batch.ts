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
  /** Name of the event log: `<tenant>/<threadId>`. */
  log: string;
  /** Offset of the first event. */
  seq: number;
  count: number;
  runId: string;
  fence: Fence;
  /**
   * Random id of the writer. If a write fails with a duplicate key, this id shows whether an
   * earlier attempt of the same write has stored the batch.
   */
  writer: string;
  events: BatchedEvent[];
  expiresAt: Date;
}

export interface BatchedEvent {
  ns: string;
  event: string;
  /**
   * JSON text of the event, without the values that are stored elsewhere; `refs` names these. Empty
   * if `large` is set.
   */
  data: string;
  refs?: EventReference[];
  /**
   * Set if the text is too large for a batch. The text is then stored in parts, in another
   * collection.
   */
  large?: LargeText;
  at: Date;
}

/**
 * An event as it is stored. The values behind its references (`refs`) and its large text (`large`)
 * are not in `data` yet.
 */
export type LoggedEvent = StoredEvent & Pick<BatchedEvent, 'refs' | 'large'>;

/**
 * A document that keeps the tail of a log (the offset of its last event) after all events of the
 * log have expired. The mark itself never expires. The `seq` of a mark is negative, and a mark with
 * a later tail has a higher `seq`. Batches of events have a positive `seq`. So a search for the
 * highest `seq` of a log finds the last batch or, if there is no batch left, the newest mark.
 */
export interface TailMark {
  _id: string;
  log: string;
  /** Offset of the last event, minus {@link MARK_SHIFT}. */
  seq: number;
}

/**
 * Limit for the number of events in a batch. To find the batch that contains an offset, a reader
 * therefore searches at most this many offsets back.
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

/**
 * Parses the `_id` of a batch. Returns the log of the batch and the offset of its first event.
 * Returns undefined for the `_id` of a {@link TailMark}.
 */
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
