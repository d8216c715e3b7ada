import { clearTimeout, setTimeout } from 'node:timers';
import type { Collection, OptionalUnlessRequiredId } from 'mongodb';
import { ColloquyError } from '../protocol/index.js';
import { approximateBytes, type StoredBatch } from './event-batch.js';
import type { LargeTexts } from './large-texts.js';
import type { EventDocument, LogTails } from './log-tail.js';
import { asPlatformError, answeredWithin, isTransient, writeFailures } from '../database/index.js';
import { MongoRunLog } from './mongo-run-log.js';
import type { RunLogScope } from './ports.js';

const FIRST_INTERVAL_MS = 25;
const MIN_INTERVAL_MS = 5;
const MAX_INTERVAL_MS = 250;
/**
 * Interval between two writes, as a multiple of the latency of a write. With 4, the writes keep the
 * database busy for about a quarter of the time.
 */
const INTERVAL_PER_LATENCY = 4;
/**
 * Maximum number of concurrent writes of the process. More of them would make each write slower.
 * While this many writes are in progress, new events wait for the next write.
 */
const MAX_CONCURRENT_WRITES = 2;
/**
 * When the batches of an insert exceed this size, no further batch is added. MongoDB's wire
 * protocol allows messages of 48 MB, and half of that leaves room for BSON overhead.
 */
const MAX_WRITE_BYTES = 24 * 2 ** 20;
/**
 * Timeout of one write. It is shorter than the driver's socket timeout of 30 s, so a stuck write
 * ends with this timeout and is then retried.
 */
const WRITE_TIMEOUT_MS = 20_000;
const MIN_RETRY_MS = 50;
const MAX_RETRY_MS = 2_000;

interface BatchWriterOptions {
  events: Collection<EventDocument>;
  tails: LogTails;
  largeTexts: LargeTexts;
  retentionMs: number;
  /** Called with each batch as soon as the batch is durable. */
  onWritten: (batch: StoredBatch) => void;
}

interface PendingBatch {
  log: MongoRunLog;
  batch: StoredBatch;
}

/**
 * Writes the events of all open event logs of the process to MongoDB, with one insert in each
 * interval. Two kinds of events do not wait for the interval: the first event after a log was
 * opened, and events that a caller of `flush` waits for.
 */
export class BatchWriter {
  readonly #options: BatchWriterOptions;
  readonly #open = new Set<MongoRunLog>();
  readonly #ready = new Set<MongoRunLog>();
  readonly #retries = new Set<NodeJS.Timeout>();
  #timer: NodeJS.Timeout | undefined;
  #isWriteQueued = false;
  #mustWriteAgain = false;
  #writesInProgress = 0;
  #intervalMs = FIRST_INTERVAL_MS;
  #lastWriteAt = Number.NEGATIVE_INFINITY;
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
    if (urgent) return this.#queueWrite();
    if (this.#timer !== undefined || this.#isWriteQueued) return;
    const wait = this.#lastWriteAt + this.#intervalMs - performance.now();
    if (wait <= 0) return this.#queueWrite();
    this.#timer = setTimeout(() => this.#write(), wait);
  }

  /**
   * Writes in the next microtask, so that all events that the running code appends go into one
   * insert.
   */
  #queueWrite(): void {
    if (this.#isWriteQueued) return;
    this.#isWriteQueued = true;
    queueMicrotask(() => this.#write());
  }

  #write(): void {
    this.#isWriteQueued = false;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#mustWriteAgain = this.#writesInProgress >= MAX_CONCURRENT_WRITES;
    if (this.#mustWriteAgain || this.#closed) return;
    const { parts, documents } = this.#collect();
    if (parts.size === 0) return;
    this.#writesInProgress += 1;
    void this.#insert(parts, documents).finally(() => {
      this.#writesInProgress -= 1;
      if (this.#mustWriteAgain) this.#write();
    });
  }

  /**
   * Takes one batch from each log that has events and no write in progress. The keys of `parts` are
   * the indexes of these batches in `documents`.
   */
  #collect(): { parts: Map<number, PendingBatch>; documents: EventDocument[] } {
    const parts = new Map<number, PendingBatch>();
    const documents: EventDocument[] = [];
    let bytes = 0;
    for (const log of this.#ready) {
      if (log.busy) continue; // the log stays in #ready until it is idle again
      this.#ready.delete(log);
      if (!log.hasWork) continue;
      const taken = log.takeBatch(this.#options.retentionMs);
      if (taken === undefined) {
        if (log.position === undefined) void this.#readTail(log);
        continue;
      }
      log.busy = true;
      parts.set(documents.length, { log, batch: taken[0] });
      documents.push(...taken);
      bytes += approximateBytes(taken[0]);
      if (bytes > MAX_WRITE_BYTES) {
        this.#mustWriteAgain = true;
        break;
      }
    }
    return { parts, documents };
  }

  async #insert(parts: Map<number, PendingBatch>, documents: EventDocument[]): Promise<void> {
    const startedAt = performance.now();
    this.#lastWriteAt = startedAt;
    const inserted = this.#options.events.insertMany(documents as OptionalUnlessRequiredId<EventDocument>[], {
      ordered: false,
    });
    const error = await answeredWithin(WRITE_TIMEOUT_MS, inserted).then(
      () => undefined,
      (cause: unknown) => cause ?? new Error('insert failed'),
    );
    const failures = error === undefined ? new Map<number, never>() : writeFailures(error);
    if (failures === undefined) {
      for (const { log } of parts.values()) this.#failed(log, error);
      return;
    }
    this.#adaptInterval(performance.now() - startedAt);
    for (const [index, part] of parts) this.#settle(part, failures.get(index));
  }

  #settle({ log, batch }: PendingBatch, failure: 'duplicate' | Error | undefined): void {
    if (failure === 'duplicate') return void this.#resolveConflict(log);
    if (failure !== undefined) return this.#failed(log, failure);
    log.settle(batch.count, batch.seq + batch.count);
    this.#options.onWritten(batch);
    this.#resume(log);
  }

  async #readTail(log: MongoRunLog): Promise<void> {
    log.busy = true;
    try {
      log.setTail(await this.#options.tails.read(log.name));
      this.#resume(log, true);
    } catch (error) {
      this.#failed(log, error);
    }
  }

  async #resolveConflict(log: MongoRunLog): Promise<void> {
    const { position } = log;
    if (position === undefined) return;
    try {
      const { own, next } = await this.#options.tails.resolveConflict(position);
      log.settle(own, next);
      this.#resume(log, true);
    } catch (error) {
      this.#failed(log, error);
    }
  }

  /** Marks the log as idle, and schedules a write of the events that were appended meanwhile. */
  #resume(log: MongoRunLog, urgent = false): void {
    log.busy = false;
    if (log.hasWork) this.#schedule(log, urgent || log.isUrgent);
  }

  #failed(log: MongoRunLog, error: unknown): void {
    const failure = error instanceof Error ? error : new Error(String(error));
    const giveUp = !isTransient(error) || this.#closed || log.signal?.aborted === true;
    if (giveUp) {
      log.busy = false;
      const known = asPlatformError(failure, `event log ${log.name} cannot be written`);
      return log.fail(
        known instanceof ColloquyError
          ? known
          : new ColloquyError('unavailable', `event log ${log.name} cannot be written: ${failure.message}`, {
              cause: error,
            }),
      );
    }
    log.failures += 1;
    const delay = Math.min(MIN_RETRY_MS * 2 ** (log.failures - 1), MAX_RETRY_MS) * (0.5 + Math.random() / 2);
    const retry = setTimeout(() => {
      this.#retries.delete(retry);
      this.#resume(log, true);
    }, delay);
    this.#retries.add(retry);
  }

  #adaptInterval(latencyMs: number): void {
    const wanted = Math.min(Math.max(latencyMs * INTERVAL_PER_LATENCY, MIN_INTERVAL_MS), MAX_INTERVAL_MS);
    this.#intervalMs += (wanted - this.#intervalMs) / 4;
  }
}
