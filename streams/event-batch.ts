import type { Fence, StoredEvent } from '../protocol/index.js';
import type { LargeText } from './large-texts.js';
import type { EventReference } from './ports.js';

/**
 * One write of one log: consecutive events of one run by one writer. The batch is a document, so it is there whole or not at all, and
 * `_id` holds the offset of its first event, so two writers cannot both continue from the same place.
 */
export interface EventBatch {
  _id: string;
  /** `<tenant>/<threadId>` */
  log: string;
  /** Offset of the first event. */
  seq: number;
  count: number;
  runId: string;
  fence: Fence;
  /** Random name of the writer: tells an insert of ours that was sent twice from somebody else's. */
  writer: string;
  events: BatchedEvent[];
  expiresAt: Date;
}

export interface BatchedEvent {
  ns: string;
  event: string;
  /** JSON text, without what `refs` stand for. */
  data: string;
  refs?: EventReference[];
  /** Where `data` lies instead. */
  large?: LargeText;
  at: Date;
}

/** An event as it lies in the log. */
export type LoggedEvent = StoredEvent & Pick<BatchedEvent, 'refs' | 'large'>;

/** Keeps the offset of a log whose events have expired. It never expires; it sorts below every batch and above older marks. */
export interface TailMark {
  _id: string;
  log: string;
  /** Offset of the last event, minus {@link MARK_SHIFT}. */
  seq: number;
}

/** A reader that starts in the middle of a batch looks this far back for its begin. */
export const MAX_BATCH_EVENTS = 1_000;
const SEQ_WIDTH = 12;
export const MARK_SHIFT = 10 ** SEQ_WIDTH;

export function logName(tenant: string, threadId: string): string {
  return `${tenant}/${threadId}`;
}

export function batchKey(log: string, seq: number): string {
  return `${log}/${String(seq).padStart(SEQ_WIDTH, '0')}`;
}

/** Log and first offset of a batch, from its `_id`; `undefined` for a tail mark. */
export function parseBatchKey(key: string): { log: string; seq: number } | undefined {
  const slash = key.lastIndexOf('/');
  const seq = Number(key.slice(slash + 1));
  return Number.isSafeInteger(seq) && seq > 0 ? { log: key.slice(0, slash), seq } : undefined;
}

export function tailMark(log: string, tail: number): TailMark {
  return { _id: `${log}/#${String(tail).padStart(SEQ_WIDTH, '0')}`, log, seq: tail - MARK_SHIFT };
}

export function isBatch(document: EventBatch | TailMark): document is EventBatch {
  return 'events' in document;
}

/** Length of the text of a batch, in characters. */
export function batchBytes(batch: Pick<EventBatch, 'events'>): number {
  return batch.events.reduce((sum, event) => sum + event.data.length, 0);
}

/** A batch that many follow is taken apart once. */
const takenApart = new WeakMap<EventBatch, LoggedEvent[]>();

/** Events of a batch with an offset above `afterSeq`. */
export function loggedEvents(batch: EventBatch, afterSeq: number): LoggedEvent[] {
  let all = takenApart.get(batch);
  if (all === undefined) {
    const [tenant = '', threadId = ''] = batch.log.split('/');
    const { runId, fence, seq } = batch;
    all = batch.events.map((event, index) => ({ tenant, threadId, seq: seq + index, runId, fence, ...event }));
    takenApart.set(batch, all);
  }
  return afterSeq < batch.seq ? all : all.slice(afterSeq - batch.seq + 1);
}
