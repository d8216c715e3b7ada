import { clearTimeout, setTimeout } from 'node:timers';
import type { Db } from 'mongodb';
import {
  ColloquyError,
  DEFAULTS,
  errorCode,
  TENANT_PATTERN,
  type Caller,
  type StoredEvent,
} from '../protocol/index.js';
import { BatchWriter } from './batch-writer.js';
import { logName } from './event-batch.js';
import { EventReader } from './event-reader.js';
import { LargeTexts, type TextPart } from './large-texts.js';
import { LiveBatchHub } from './live-batches.js';
import { LogTails, type EventDocument } from './log-tail.js';
import { isTransient, openCollection } from '../database/index.js';
import { PageReads } from './page-reads.js';
import type { EventLog, ReadReferences } from './ports.js';
import { WholeEvents } from './whole-events.js';

const COLLECTION = 'events';
const PARTS = 'event_parts';
const DEFAULT_POLL_MS = 1_000;
/**
 * Limit for the poll interval of a follower, as a multiple of `pollMs`. The interval grows while no
 * events arrive. While the change stream is closed, followers poll every `pollMs`.
 */
const MAX_POLL_FACTOR = 10;
const POLL_GROWTH = 1.25;
/**
 * A poll normally searches only the next offsets. Every tenth poll searches the whole rest of the
 * log, because only such a poll finds events behind a long gap of expired events.
 */
const SCAN_AHEAD_EVERY = 10;
const DEFAULT_LIMIT = 1_000;
/**
 * A read stops as soon as its events have this much text, in UTF-16 code units. It may then return
 * fewer events than its `limit`.
 */
const MAX_READ_CHARACTERS = 8 * 2 ** 20;
const APPEND_ATTEMPTS = 20;
const MIN_RETRY_MS = 100;
const MAX_RETRY_MS = 2_000;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export interface MongoEventLogOptions {
  db: Db;
  /** Time until events expire, in ms. Default: 7 days. */
  retentionMs?: number;
  /** Returns the large values that events only refer to. Required if there are such events. */
  readReferences?: ReadReferences;
  /**
   * First poll interval of a follower, in ms. The interval grows while no events arrive. Default:
   * 1000.
   */
  pollMs?: number;
}

/**
 * Creates the indexes of the collections `events` and `event_parts`: for reads of one log, and for
 * the expiry of documents. Idempotent.
 */
export async function ensureIndexes(db: Db): Promise<void> {
  await db.collection(COLLECTION).createIndexes([
    // For reads of one log. A query by a range of `_id` would select the same batches, but some
    // databases, such as SecantusDB, use no index for such a query.
    { key: { log: 1, seq: 1 }, name: 'log_seq' },
    { key: { expiresAt: 1 }, name: 'expiry', expireAfterSeconds: 0 },
  ]);
  await db.collection(PARTS).createIndexes([
    { key: { log: 1 }, name: 'log' },
    { key: { expiresAt: 1 }, name: 'expiry', expireAfterSeconds: 0 },
  ]);
}

/**
 * Creates the event log on MongoDB. Create only one for a process, because its writers and
 * followers share round trips to the database.
 */
export function createEventLog(options: MongoEventLogOptions): EventLog {
  const { db, retentionMs = DEFAULTS.eventRetentionMs, pollMs = DEFAULT_POLL_MS } = options;
  const events = openCollection<EventDocument>(db, COLLECTION);
  const hub = new LiveBatchHub(db.collection<EventDocument>(COLLECTION), events);
  const reads = new PageReads(events);
  const largeTexts = new LargeTexts(openCollection<TextPart>(db, PARTS), retentionMs);
  const wholeEvents = new WholeEvents(largeTexts, options.readReferences);
  let closed = false;
  const tails = new LogTails(events);
  const writer = new BatchWriter({ events, tails, largeTexts, retentionMs, onWritten: (batch) => hub.publish(batch) });

  const readerOf = (log: string, afterSeq: number) =>
    new EventReader(reads, log, afterSeq, tails.isBatchEnd(log, afterSeq));

  const logOf = (caller: Caller, threadId: string) => {
    guardIds(caller.tenant, threadId);
    return logName(caller.tenant, threadId);
  };

  return {
    open(caller, scope) {
      return writer.open(logOf(caller, scope.threadId), scope);
    },

    async tail(caller, threadId) {
      const log = logOf(caller, threadId);
      return (await tails.read(log)).tail;
    },

    async read(caller, threadId, { afterSeq, limit = DEFAULT_LIMIT, runId, bare = false }) {
      guardOffset(afterSeq);
      const log = logOf(caller, threadId);
      const reader = readerOf(log, afterSeq);
      const found: StoredEvent[] = [];
      let size = 0;
      while (found.length < limit && size < MAX_READ_CHARACTERS) {
        const page = await reader.page();
        const wanted = runId === undefined ? page : page.filter((event) => event.runId === runId);
        const taken = wanted.slice(0, limit - found.length);
        const whole = bare ? taken : await wholeEvents.of(caller, taken);
        found.push(...whole);
        size += whole.reduce((sum, { data }) => sum + data.length, 0);
        if (reader.atEnd) break;
      }
      return found;
    },

    async *follow(caller, threadId, { afterSeq, signal }) {
      guardOffset(afterSeq);
      const log = logOf(caller, threadId);
      const live = hub.join(log);
      try {
        const reader = readerOf(log, afterSeq);
        let failures = 0;
        let pollFactor = 1;
        // `scanAhead`: whether the next read searches the whole rest of the log. The reads before
        // the first wait do not, because most followers start at the end of the log. The read
        // after the first wait does, because a follower may start before a long gap of expired
        // events. After that, every tenth poll does.
        let scanAhead = false;
        let polls = 0;
        while (!signal.aborted) {
          if (closed) throw new ColloquyError('unavailable', `event log is closed; cannot follow ${log}`);
          const page = await reader.page(scanAhead).catch((error: unknown) => {
            if (!isTransient(error)) throw error;
            return undefined;
          });
          failures = page === undefined ? failures + 1 : 0;
          if (page === undefined) {
            await pause(Math.min(MIN_RETRY_MS * 2 ** failures, MAX_RETRY_MS), signal);
            continue;
          }
          if (page.length > 0) yield await wholeEvents.of(caller, page);
          if (!reader.atEnd) continue;
          pollFactor = page.length > 0 ? 1 : Math.min(pollFactor * POLL_GROWTH, MAX_POLL_FACTOR);
          while (!signal.aborted) {
            const batches = await live.next(reader.next, hub.listening ? pollMs * pollFactor : pollMs, signal);
            if (batches === undefined) break;
            pollFactor = 1;
            yield await wholeEvents.of(caller, reader.take(batches));
          }
          scanAhead = polls % SCAN_AHEAD_EVERY === 0;
          polls += 1;
        }
      } finally {
        live.leave();
      }
    },

    async append(caller, threadId, event) {
      const log = logOf(caller, threadId);
      for (let attempt = 1; ; attempt += 1) {
        // The log refuses an event whose fence is lower than the fence of the log's last event. So
        // write this event with exactly that fence: a higher one would stop the run that writes the
        // log. If another run has written a higher fence meanwhile, try again with that fence.
        const { tail, fence } = await tails.read(log);
        const runLog = writer.open(log, { threadId, runId: '', fence, tail });
        try {
          runLog.append(event);
          return await runLog.flush();
        } catch (error) {
          if (errorCode(error) !== 'fence_lost' || attempt === APPEND_ATTEMPTS) throw error;
        } finally {
          await runLog.close().catch(() => undefined); // flush has thrown the same error already
        }
      }
    },

    async deleteThread(caller, threadId) {
      const log = logOf(caller, threadId);
      await Promise.all([events.deleteMany({ log }), largeTexts.delete(log)]);
      tails.forget(log);
    },

    async close() {
      closed = true;
      writer.close();
      await hub.close();
    },
  };
}

function guardIds(tenant: string, threadId: string): void {
  if (!TENANT_PATTERN.test(tenant)) {
    throw new ColloquyError('invalid_argument', `tenant is ${JSON.stringify(tenant)}; expected a DNS label`, {
      field: 'tenant',
    });
  }
  if (!UUID.test(threadId)) {
    throw new ColloquyError(
      'invalid_argument',
      `thread id is ${JSON.stringify(threadId)}; expected a UUID in lower case`,
      { field: 'thread_id' },
    );
  }
}

function guardOffset(afterSeq: number): void {
  if (!Number.isSafeInteger(afterSeq) || afterSeq < 0) {
    throw new ColloquyError('invalid_argument', `offset is ${afterSeq}; expected an integer from 0`, {
      field: 'afterSeq',
    });
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}
