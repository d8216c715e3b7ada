import { setTimeout as sleep } from 'node:timers/promises';
import type { ChangeStream, ChangeStreamInsertDocument, Collection } from 'mongodb';
import { batchBytes, isBatch, parseBatchKey, type EventBatch } from './event-batch.js';
import type { EventDocument } from './log-tail.js';

/** A batch up to so many bytes comes with the change that tells of it. A larger one is read where somebody follows: every process hears of all. */
const TOLD_BYTES = 16 * 1024;
const isSmall = { $lte: [{ $bsonSize: '$fullDocument' }, TOLD_BYTES] };
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

/** Batches that one read asks for. */
const READ_BATCHES = 64;
/** A follower that is this far behind drops what it has not taken, and reads on by itself. */
const MAX_WAITING_BYTES = 4 * 2 ** 20;
/** While something is read for all, a follower waits so many times longer: a slow database is not helped by everybody asking too. */
const PATIENT_WAITS = 5;
/** Followers of short runs come and go; the change stream stays open this long after the last one. */
const LINGER_MS = 10_000;
const MIN_REOPEN_MS = 100;
const MAX_REOPEN_MS = 5_000;

/** What one follower of a log gets without asking. */
export interface LiveBatches {
  /**
   * Batches that go on at an offset, in order, as soon as there are some; `undefined` when the follower has to read by itself: after `ms`, when the
   * signal fires, and where what came does not go on there.
   */
  next(seq: number, ms: number, signal: AbortSignal): Promise<EventBatch[] | undefined>;
  leave(): void;
}

class Follower implements LiveBatches {
  #batches: EventBatch[] = [];
  #bytes = 0;
  /** Something came that is not in `batches`. */
  #missed = false;
  #wake: (() => void) | undefined;
  readonly #onLeave: (follower: Follower) => void;
  readonly #isReading: () => boolean;

  constructor(onLeave: (follower: Follower) => void, isReading: () => boolean) {
    this.#onLeave = onLeave;
    this.#isReading = isReading;
  }

  take(batch: EventBatch): void {
    this.#bytes += batchBytes(batch);
    if (this.#bytes > MAX_WAITING_BYTES && this.#batches.length > 0) return this.miss();
    this.#batches.push(batch);
    this.#wake?.();
  }

  miss(): void {
    this.#missed = true;
    this.#wake?.();
  }

  async next(seq: number, ms: number, signal: AbortSignal): Promise<EventBatch[] | undefined> {
    if (!this.#has(seq) && !signal.aborted) await this.#woken(ms, signal);
    const batches = this.#batches.filter((batch) => batch.seq + batch.count > seq).sort((a, b) => a.seq - b.seq);
    const missed = this.#missed;
    this.#batches = [];
    this.#bytes = 0;
    this.#missed = false;
    return missed ? undefined : goingOn(batches, seq);
  }

  leave(): void {
    this.#onLeave(this);
  }

  #has(seq: number): boolean {
    return this.#missed || this.#batches.some((batch) => batch.seq + batch.count > seq);
  }

  async #woken(ms: number, signal: AbortSignal): Promise<void> {
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
        timer = setTimeout(() => (this.#isReading() && waits < PATIENT_WAITS ? wait() : wake()), ms);
      };
      wait();
      signal.addEventListener('abort', wake);
      this.#wake = wake;
    });
    this.#wake = undefined;
  }
}

/** `undefined` where the batches do not go on at the offset, one behind the other. */
function goingOn(batches: EventBatch[], seq: number): EventBatch[] | undefined {
  const going: EventBatch[] = [];
  let next = seq;
  for (const batch of batches) {
    const end = batch.seq + batch.count;
    if (batch.seq > next) return undefined;
    if (end > next) going.push(batch);
    next = Math.max(next, end);
  }
  return going.length > 0 ? going : undefined;
}

/** The change stream leaves out what is large. */
type Change = Omit<ChangeStreamInsertDocument<EventDocument>, 'fullDocument'> & { fullDocument?: EventDocument };

/**
 * Hands batches to the followers of their logs as they are inserted. One change stream a process brings them; where it leaves out a large one that
 * somebody follows, one read at a time does, of all logs together. All of this is a favour: what does not come this way followers read by themselves.
 */
export class LiveBatchHub {
  readonly #events: Collection<EventDocument>;
  readonly #reads: Collection<EventDocument>;
  readonly #followers = new Map<string, Set<Follower>>();
  /** Keys of batches to read, each with its log. */
  readonly #wanted = new Map<string, string>();
  /** Logs of the batches that are being read. */
  #read: ReadonlySet<string> = new Set();
  #reading = false;
  #stream: ChangeStream<EventDocument> | undefined;
  #listening = false;
  #linger: NodeJS.Timeout | undefined;
  #reopen: NodeJS.Timeout | undefined;
  #failures = 0;
  #closed = false;

  /** `events` is watched, `reads` is read: the same collection, the latter with a bound on time. */
  constructor(events: Collection<EventDocument>, reads: Collection<EventDocument>) {
    this.#events = events;
    this.#reads = reads;
  }

  /** The change stream is there; while it is not, followers had better look by themselves. */
  get listening(): boolean {
    return this.#listening;
  }

  join(log: string): LiveBatches {
    const follower = new Follower(
      (gone) => this.#leave(log, gone),
      () => this.#reading,
    );
    const followers = this.#followers.get(log) ?? new Set();
    this.#followers.set(log, followers.add(follower));
    clearTimeout(this.#linger);
    this.#linger = undefined;
    this.#watch();
    return follower;
  }

  /** A batch that was written here. */
  tell(batch: EventBatch): void {
    this.#wanted.delete(batch._id);
    for (const follower of this.#followers.get(batch.log) ?? []) follower.take(batch);
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#linger);
    clearTimeout(this.#reopen);
    this.#missAll();
    await this.#stop();
  }

  #leave(log: string, follower: Follower): void {
    const followers = this.#followers.get(log);
    followers?.delete(follower);
    if (followers?.size === 0) this.#followers.delete(log);
    if (this.#followers.size > 0 || this.#closed || this.#linger !== undefined) return;
    this.#linger = setTimeout(() => {
      this.#linger = undefined;
      void this.#stop();
    }, LINGER_MS).unref();
  }

  #watch(): void {
    if (this.#stream !== undefined || this.#reopen !== undefined || this.#closed) return;
    const stream = this.#events.watch<EventDocument, Change & ChangeStreamInsertDocument<EventDocument>>(PIPELINE);
    this.#stream = stream;
    // The first token says that the stream is open; what was inserted before it, followers read themselves.
    stream.once('resumeTokenChanged', () => {
      this.#listening = true;
      this.#missAll();
    });
    stream.on('change', (change) => this.#changed(change));
    stream.on('error', () => this.#restart(stream));
    stream.on('close', () => this.#restart(stream));
  }

  #changed({ documentKey, fullDocument: batch }: Change): void {
    this.#failures = 0;
    const id = String(documentKey._id);
    const key = parseBatchKey(id);
    if (key === undefined || !this.#followers.has(key.log)) return;
    if (batch !== undefined && isBatch(batch) && !this.#awaits(key.log)) return this.tell(batch);
    this.#wanted.set(id, key.log);
    void this.#readWanted();
  }

  /** A batch of the log is on its way; what comes after it goes the same way, so that it is not there before. */
  #awaits(log: string): boolean {
    return this.#read.has(log) || [...this.#wanted.values()].includes(log);
  }

  /** Brings what is wanted; what comes to be wanted meanwhile goes with the next read. */
  async #readWanted(): Promise<void> {
    if (this.#reading) return;
    this.#reading = true;
    while (this.#wanted.size > 0 && !this.#closed) {
      const begun = performance.now();
      const wanted = new Map([...this.#wanted].slice(0, READ_BATCHES));
      this.#read = new Set(wanted.values());
      for (const id of wanted.keys()) this.#wanted.delete(id);
      try {
        const found = this.#reads.find<EventBatch>({ _id: { $in: [...wanted.keys()] } });
        for await (const batch of found) {
          wanted.delete(batch._id);
          for (const follower of this.#followers.get(batch.log) ?? []) follower.take(batch);
        }
      } catch {
        // Whoever misses something reads by itself, and tells of what stands in the way.
      }
      for (const log of new Set(wanted.values()))
        for (const follower of this.#followers.get(log) ?? []) follower.miss();
      this.#read = new Set();
      // As long as the read took, so that under load more batches share the next one.
      await sleep(performance.now() - begun);
    }
    this.#reading = false;
  }

  /** Opens another stream after a pause; the driver has resumed what can be resumed. */
  #restart(stream: ChangeStream<EventDocument>): void {
    if (this.#stream !== stream) return;
    void this.#stop();
    if (this.#closed || this.#followers.size === 0) return;
    const delay = Math.min(MIN_REOPEN_MS * 2 ** this.#failures, MAX_REOPEN_MS);
    this.#failures += 1;
    this.#reopen = setTimeout(() => {
      this.#reopen = undefined;
      if (this.#followers.size > 0) this.#watch();
    }, delay).unref();
  }

  async #stop(): Promise<void> {
    const stream = this.#stream;
    this.#stream = undefined;
    this.#listening = false;
    await stream?.close().catch(() => undefined); // it is of no use any more, whatever it says
  }

  #missAll(): void {
    for (const followers of this.#followers.values()) for (const follower of followers) follower.miss();
  }
}
