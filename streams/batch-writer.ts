import type { Collection, OptionalUnlessRequiredId } from 'mongodb';
import { ColloquyError } from '../protocol/index.js';
import { batchBytes, type EventBatch } from './event-batch.js';
import type { LargeTexts } from './large-texts.js';
import type { EventDocument, LogTails } from './log-tail.js';
import { answeredWithin, isTransient, writeFailures } from '../database/index.js';
import { MongoRunLog } from './mongo-run-log.js';
import type { RunLogScope } from './ports.js';

const FIRST_INTERVAL_MS = 25;
const MIN_INTERVAL_MS = 5;
const MAX_INTERVAL_MS = 250;
/** A tick is this many times as long as a write takes, so that streams leave the database most of its time. */
const INTERVAL_PER_LATENCY = 4;
/** More writes at once make each one slower; waiting events join the next one instead. */
const MAX_WRITES_AT_ONCE = 2;
/** A message of the wire protocol may have 48 MB. */
const MAX_WRITE_BYTES = 24 * 2 ** 20;
/** Longer than the socket's own timeout is of no use to who waits. */
const ANSWER_MS = 20_000;
const MIN_RETRY_MS = 50;
const MAX_RETRY_MS = 2_000;

export interface BatchWriterOptions {
  events: Collection<EventDocument>;
  tails: LogTails;
  largeTexts: LargeTexts;
  retentionMs: number;
  /** Told of every batch that is durable. */
  onWritten: (batch: EventBatch) => void;
}

interface Part {
  log: MongoRunLog;
  batch: EventBatch;
}

/** Writes for all open logs of the process together: one insert a tick, sooner when a log begins or is flushed. */
export class BatchWriter {
  readonly #options: BatchWriterOptions;
  readonly #open = new Set<MongoRunLog>();
  readonly #ready = new Set<MongoRunLog>();
  readonly #retries = new Set<NodeJS.Timeout>();
  #timer: NodeJS.Timeout | undefined;
  #asked = false;
  #overdue = false;
  #writes = 0;
  #intervalMs = FIRST_INTERVAL_MS;
  #lastWrite = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(options: BatchWriterOptions) {
    this.#options = options;
  }

  open(name: string, scope: RunLogScope): MongoRunLog {
    if (this.#closed) throw new ColloquyError('unavailable', `event log is closed; cannot open ${name}`);
    const log = new MongoRunLog(name, scope, {
      ready: (ready, urgent) => this.#schedule(ready, urgent),
      closed: (closed) => this.#forget(closed),
      storeText: (log, text) => this.#options.largeTexts.store(log, text),
    });
    this.#open.add(log);
    return log;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    for (const retry of this.#retries) clearTimeout(retry);
    for (const log of this.#open) {
      if (log.hasWork)
        log.fail(new ColloquyError('unavailable', `event log ${log.name} was closed with events to write`));
    }
    this.#open.clear();
    this.#ready.clear();
  }

  #forget(log: MongoRunLog): void {
    this.#open.delete(log);
    this.#ready.delete(log);
  }

  #schedule(log: MongoRunLog, urgent: boolean): void {
    if (this.#closed) return log.fail(new ColloquyError('unavailable', `event log ${log.name} is closed`));
    this.#ready.add(log);
    if (urgent) return this.#writeSoon();
    if (this.#timer !== undefined || this.#asked) return;
    const wait = this.#lastWrite + this.#intervalMs - performance.now();
    if (wait <= 0) return this.#writeSoon();
    this.#timer = setTimeout(() => this.#write(), wait);
  }

  /** Once what runs now is through, so that everything it appends goes out together. */
  #writeSoon(): void {
    if (this.#asked) return;
    this.#asked = true;
    queueMicrotask(() => this.#write());
  }

  #write(): void {
    this.#asked = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#overdue = this.#writes >= MAX_WRITES_AT_ONCE;
    if (this.#overdue || this.#closed) return;
    const { parts, documents } = this.#collect();
    if (parts.size === 0) return;
    this.#writes += 1;
    void this.#insert(parts, documents).finally(() => {
      this.#writes -= 1;
      if (this.#overdue) this.#write();
    });
  }

  /** Takes a batch of every log that can write now; `parts` has them by the index of their document. */
  #collect(): { parts: Map<number, Part>; documents: EventDocument[] } {
    const parts = new Map<number, Part>();
    const documents: EventDocument[] = [];
    let bytes = 0;
    for (const log of this.#ready) {
      if (log.busy) continue; // comes back when it is not
      this.#ready.delete(log);
      if (!log.hasWork) continue;
      const taken = log.take(this.#options.retentionMs);
      if (taken === undefined) {
        if (log.place === undefined) void this.#readTail(log);
        continue;
      }
      log.busy = true;
      parts.set(documents.length, { log, batch: taken[0] });
      documents.push(...taken);
      bytes += batchBytes(taken[0]);
      if (bytes > MAX_WRITE_BYTES) {
        this.#overdue = true;
        break;
      }
    }
    return { parts, documents };
  }

  async #insert(parts: Map<number, Part>, documents: EventDocument[]): Promise<void> {
    const begun = performance.now();
    this.#lastWrite = begun;
    const inserted = this.#options.events.insertMany(documents as OptionalUnlessRequiredId<EventDocument>[], {
      ordered: false,
    });
    const error = await answeredWithin(ANSWER_MS, inserted).then(
      () => undefined,
      (cause: unknown) => cause ?? new Error('insert failed'),
    );
    const failures = error === undefined ? new Map<number, never>() : writeFailures(error);
    if (failures === undefined) {
      for (const { log } of parts.values()) this.#failed(log, error);
      return;
    }
    this.#adapt(performance.now() - begun);
    for (const [index, part] of parts) this.#settle(part, failures.get(index));
  }

  #settle({ log, batch }: Part, failure: 'duplicate' | Error | undefined): void {
    if (failure === 'duplicate') return void this.#resolveConflict(log);
    if (failure !== undefined) return this.#failed(log, failure);
    log.settle(batch.count, batch.seq + batch.count);
    this.#options.onWritten(batch);
    this.#release(log);
  }

  async #readTail(log: MongoRunLog): Promise<void> {
    log.busy = true;
    try {
      log.begin(await this.#options.tails.read(log.name));
      this.#release(log, true);
    } catch (error) {
      this.#failed(log, error);
    }
  }

  async #resolveConflict(log: MongoRunLog): Promise<void> {
    const { place } = log;
    if (place === undefined) return;
    try {
      const { own, next } = await this.#options.tails.resolveConflict(place);
      log.settle(own, next);
      this.#release(log, true);
    } catch (error) {
      this.#failed(log, error);
    }
  }

  /** The log may write again; what it got meanwhile is scheduled. */
  #release(log: MongoRunLog, urgent = false): void {
    log.busy = false;
    if (log.hasWork) this.#schedule(log, urgent || log.isUrgent);
  }

  #failed(log: MongoRunLog, error: unknown): void {
    const given = error instanceof Error ? error : new Error(String(error));
    const giveUp = !isTransient(error) || this.#closed || log.signal?.aborted === true;
    if (giveUp) {
      log.busy = false;
      return log.fail(
        given instanceof ColloquyError
          ? given
          : new ColloquyError('unavailable', `event log ${log.name} cannot be written: ${given.message}`, {
              cause: error,
            }),
      );
    }
    log.failures += 1;
    const delay = Math.min(MIN_RETRY_MS * 2 ** (log.failures - 1), MAX_RETRY_MS) * (0.5 + Math.random() / 2);
    const retry = setTimeout(() => {
      this.#retries.delete(retry);
      this.#release(log, true);
    }, delay);
    this.#retries.add(retry);
  }

  #adapt(latencyMs: number): void {
    const wanted = Math.min(Math.max(latencyMs * INTERVAL_PER_LATENCY, MIN_INTERVAL_MS), MAX_INTERVAL_MS);
    this.#intervalMs += (wanted - this.#intervalMs) / 4;
  }
}
