import { setTimeout as sleep } from 'node:timers/promises';
import type { ChangeStream, ChangeStreamInsertDocument, Collection } from 'mongodb';
import { approximateBytes, isBatch, parseBatchKey, type StoredBatch } from './event-batch.js';
import type { EventDocument } from './log-tail.js';

/**
 * Size limit in bytes. If a batch (events that are stored as one document) is larger, the change
 * stream delivers it without its content, because every process receives the batches of all logs. A
 * process then reads the content only if it has a follower (a reader that waits for new events) of
 * the batch's log.
 */
const MAX_INLINE_BYTES = 16 * 1024;
const isSmall = { $lte: [{ $bsonSize: '$fullDocument' }, MAX_INLINE_BYTES] };
const PIPELINE = [
  { $match: { operationType: 'insert' } },
  {
    $project: {
      _id: 1,
      operationType: 1,
      ns: 1,
      documentKey: 1,
      fullDocument: { $cond: [isSmall, '$fullDocument', '$$REMOVE'] },
    },
  },
];

const READ_BATCHES = 64;
/**
 * Limit for the total size of the batches that wait for one follower. Above it, the follower drops
 * them and reads them from the collection later.
 */
const MAX_WAITING_BYTES = 4 * 2 ** 20;
/**
 * A follower normally waits one poll interval for new batches, and then queries the collection
 * itself. While {@link LiveBatchHub} reads batches for all followers, the follower waits up to this
 * many intervals. Otherwise a slow database would also get one query from every follower.
 */
const MAX_WAITS_DURING_READ = 5;
/**
 * The change stream stays open this long after the last follower has left. Otherwise each short run
 * would open a new change stream.
 */
const STOP_DELAY_MS = 10_000;
const MIN_REOPEN_MS = 100;
const MAX_REOPEN_MS = 5_000;

/** The batches that {@link LiveBatchHub} delivers to one follower of a log. */
interface LiveBatches {
  /**
   * Waits for batches that continue at offset `seq`, and returns them in order. Returns undefined
   * if the follower must read the collection itself: if no batch arrives within `ms` or before the
   * signal fires, or if batches may be missing.
   */
  next(seq: number, ms: number, signal: AbortSignal): Promise<StoredBatch[] | undefined>;
  leave(): void;
}

class LogFollower implements LiveBatches {
  #batches: StoredBatch[] = [];
  #bytes = 0;
  /**
   * Whether batches may be missing in `#batches`. If so, `next` returns undefined, and the follower
   * must read the collection.
   */
  #missed = false;
  #wake: (() => void) | undefined;
  readonly #onLeave: (follower: LogFollower) => void;
  readonly #isReading: () => boolean;

  constructor(onLeave: (follower: LogFollower) => void, isReading: () => boolean) {
    this.#onLeave = onLeave;
    this.#isReading = isReading;
  }

  take(batch: StoredBatch): void {
    this.#bytes += approximateBytes(batch);
    if (this.#bytes > MAX_WAITING_BYTES && this.#batches.length > 0) return this.miss();
    this.#batches.push(batch);
    this.#wake?.();
  }

  miss(): void {
    this.#missed = true;
    this.#wake?.();
  }

  async next(seq: number, ms: number, signal: AbortSignal): Promise<StoredBatch[] | undefined> {
    if (!this.#has(seq) && !signal.aborted) await this.#waitForWake(ms, signal);
    const batches = this.#batches.filter((batch) => batch.seq + batch.count > seq).sort((a, b) => a.seq - b.seq);
    const missed = this.#missed;
    this.#batches = [];
    this.#bytes = 0;
    this.#missed = false;
    return missed ? undefined : contiguousFrom(batches, seq);
  }

  leave(): void {
    this.#onLeave(this);
  }

  #has(seq: number): boolean {
    return this.#missed || this.#batches.some((batch) => batch.seq + batch.count > seq);
  }

  async #waitForWake(ms: number, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      let timer: NodeJS.Timeout;
      let waits = 0;
      const wake = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', wake);
        resolve();
      };
      const wait = (): void => {
        waits += 1;
        timer = setTimeout(() => (this.#isReading() && waits < MAX_WAITS_DURING_READ ? wait() : wake()), ms);
      };
      wait();
      signal.addEventListener('abort', wake);
      this.#wake = wake;
    });
    this.#wake = undefined;
  }
}

/**
 * Returns those of the sorted `batches` that contain offset `seq` or later offsets. Returns
 * undefined if there are none, or if offset `seq` or an offset between two batches is missing.
 */
function contiguousFrom(batches: StoredBatch[], seq: number): StoredBatch[] | undefined {
  const contiguous: StoredBatch[] = [];
  let next = seq;
  for (const batch of batches) {
    const end = batch.seq + batch.count;
    if (batch.seq > next) return undefined;
    if (end > next) contiguous.push(batch);
    next = Math.max(next, end);
  }
  return contiguous.length > 0 ? contiguous : undefined;
}

/** The pipeline removes `fullDocument` if the document is large, so the field is optional. */
type BatchChange = Omit<ChangeStreamInsertDocument<EventDocument>, 'fullDocument'> & { fullDocument?: EventDocument };

/**
 * Delivers new batches to the followers of their logs in this process. All followers share one
 * change stream, which leaves out the content of large batches. This class reads the large batches
 * of all logs together, one query at a time. Delivery only saves time: if a batch is not delivered,
 * the followers read it from the collection.
 */
export class LiveBatchHub {
  readonly #events: Collection<EventDocument>;
  readonly #reads: Collection<EventDocument>;
  readonly #followers = new Map<string, Set<LogFollower>>();
  /** The batches that must still be read: key of the batch → name of its log. */
  readonly #batchesToRead = new Map<string, string>();
  #logsBeingRead: ReadonlySet<string> = new Set();
  #isReading = false;
  #stream: ChangeStream<EventDocument> | undefined;
  #listening = false;
  #stopTimer: NodeJS.Timeout | undefined;
  #reopenTimer: NodeJS.Timeout | undefined;
  #failures = 0;
  #closed = false;

  /**
   * `events` and `reads` are the same collection with different timeouts. The change stream uses
   * `events`, which has no timeout. Queries use `reads`, which has one.
   */
  constructor(events: Collection<EventDocument>, reads: Collection<EventDocument>) {
    this.#events = events;
    this.#reads = reads;
  }

  /** Whether the change stream is open. While it is closed, followers should poll more often. */
  get listening(): boolean {
    return this.#listening;
  }

  join(log: string): LiveBatches {
    const follower = new LogFollower(
      (gone) => this.#leave(log, gone),
      () => this.#isReading,
    );
    const followers = this.#followers.get(log) ?? new Set();
    this.#followers.set(log, followers.add(follower));
    clearTimeout(this.#stopTimer);
    this.#stopTimer = undefined;
    this.#watch();
    return follower;
  }

  /** Delivers a batch to the followers of its log in this process. */
  publish(batch: StoredBatch): void {
    this.#batchesToRead.delete(batch._id);
    for (const follower of this.#followers.get(batch.log) ?? []) follower.take(batch);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#stopTimer);
    clearTimeout(this.#reopenTimer);
    this.#missForAll();
    await this.#stop();
  }

  #leave(log: string, follower: LogFollower): void {
    const followers = this.#followers.get(log);
    followers?.delete(follower);
    if (followers?.size === 0) this.#followers.delete(log);
    if (this.#followers.size > 0 || this.#closed || this.#stopTimer !== undefined) return;
    this.#stopTimer = setTimeout(() => {
      this.#stopTimer = undefined;
      void this.#stop();
    }, STOP_DELAY_MS).unref();
  }

  #watch(): void {
    if (this.#stream !== undefined || this.#reopenTimer !== undefined || this.#closed) return;
    const stream = this.#events.watch<EventDocument, BatchChange & ChangeStreamInsertDocument<EventDocument>>(PIPELINE);
    this.#stream = stream;
    // The first resume token shows that the stream is open. The stream does not deliver earlier
    // batches, so the followers must read those from the collection.
    stream.once('resumeTokenChanged', () => {
      this.#listening = true;
      this.#missForAll();
    });
    stream.on('change', (change) => this.#changed(change));
    stream.on('error', () => this.#restart(stream));
    stream.on('close', () => this.#restart(stream));
  }

  #changed({ documentKey, fullDocument: batch }: BatchChange): void {
    this.#failures = 0;
    const id = String(documentKey._id);
    const key = parseBatchKey(id);
    if (key === undefined || !this.#followers.has(key.log)) return;
    if (batch !== undefined && isBatch(batch) && !this.#hasPendingRead(key.log)) return this.publish(batch);
    this.#batchesToRead.set(id, key.log);
    void this.#readBatches();
  }

  /**
   * Returns whether an earlier batch of the log must still be read. If so, later batches of the log
   * are read too, even if the change stream delivered their content. So followers get all batches
   * in order.
   */
  #hasPendingRead(log: string): boolean {
    return this.#logsBeingRead.has(log) || [...this.#batchesToRead.values()].includes(log);
  }

  /**
   * Reads and delivers batches until none is left. Batches that are added during a read join the
   * next read.
   */
  async #readBatches(): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    while (this.#batchesToRead.size > 0 && !this.#closed) {
      const startedAt = performance.now();
      const batchesToRead = new Map([...this.#batchesToRead].slice(0, READ_BATCHES));
      this.#logsBeingRead = new Set(batchesToRead.values());
      for (const id of batchesToRead.keys()) this.#batchesToRead.delete(id);
      try {
        const found = this.#reads.find<StoredBatch>({ _id: { $in: [...batchesToRead.keys()] } });
        for await (const batch of found) {
          batchesToRead.delete(batch._id);
          for (const follower of this.#followers.get(batch.log) ?? []) follower.take(batch);
        }
      } catch {
        // The followers read the missing batches themselves. If the error persists, they report it.
      }
      for (const log of new Set(batchesToRead.values()))
        for (const follower of this.#followers.get(log) ?? []) follower.miss();
      this.#logsBeingRead = new Set();
      // Pause as long as the read took. Under load, more batches then share the next read.
      await sleep(performance.now() - startedAt);
    }
    this.#isReading = false;
  }

  /**
   * Closes a failed change stream, and opens a new one after a pause. The driver has already tried
   * to resume the failed stream.
   */
  #restart(stream: ChangeStream<EventDocument>): void {
    if (this.#stream !== stream) return;
    void this.#stop();
    if (this.#closed || this.#followers.size === 0) return;
    const delay = Math.min(MIN_REOPEN_MS * 2 ** this.#failures, MAX_REOPEN_MS);
    this.#failures += 1;
    this.#reopenTimer = setTimeout(() => {
      this.#reopenTimer = undefined;
      if (this.#followers.size > 0) this.#watch();
    }, delay).unref();
  }

  async #stop(): Promise<void> {
    const stream = this.#stream;
    this.#stream = undefined;
    this.#listening = false;
    await stream?.close().catch(() => undefined); // the stream is not used any more
  }

  #missForAll(): void {
    for (const followers of this.#followers.values()) for (const follower of followers) follower.miss();
  }
}
