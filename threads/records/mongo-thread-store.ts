import type { Db } from 'mongodb';
import { STATELESS_METADATA, type Caller } from '../../protocol/index.js';
import { MongoHeads } from '../state/mongo-heads.js';
import { openCollection, withDatabaseErrors } from '../../database/index.js';
import type { NewTtl, ThreadStore } from './ports.js';
import type { ThinningOptions, ThinningPolicy } from '../state/ports.js';
import { RunRecords } from './run-records.js';
import { givenFields } from './thread-documents.js';
import { ThreadRecords } from './thread-records.js';

/**
 * A process that thins a thread (removes its old checkpoints) reserves the thread for this time, in
 * ms. If it has not finished after this time, another process may thin the thread.
 */
const THINNING_MS = 600_000;

interface ThreadStoreOptions {
  db: Db;
  /** Removes a thread's head and checkpoints. Idempotent. */
  removeState: (caller: Caller, threadId: string) => Promise<void>;
  /** Copies the state of thread `from` to thread `to`, which has no state yet. */
  copyState: (caller: Caller, from: string, to: string) => Promise<void>;
  /** Removes every checkpoint that a thread's newest state does not need. Idempotent. */
  pruneState: (caller: Caller, threadId: string) => Promise<void>;
  /**
   * Removes the older checkpoints that a policy does not keep. Returns the time at which the thread
   * should be thinned again. Returns undefined if a run is active, or if no remaining checkpoint
   * will become too old. Idempotent.
   */
  thinState: (
    caller: Caller,
    threadId: string,
    policy: ThinningPolicy,
    options: ThinningOptions,
  ) => Promise<Date | undefined>;
}

/** Creates a store for records of threads and runs on MongoDB. */
export function createThreadStore(options: ThreadStoreOptions): ThreadStore {
  const { db, removeState, copyState, pruneState, thinState } = options;
  const threads = new ThreadRecords(openCollection(db, 'threads'));
  const heads = new MongoHeads(db);
  const runs = new RunRecords(openCollection(db, 'runs'));

  return withDatabaseErrors<ThreadStore>({
    async createThread(caller, thread) {
      return threads.create(caller, thread);
    },

    async getThread(caller, threadId) {
      return threads.get(caller, threadId);
    },

    async searchThreads(caller, query) {
      return threads.search(caller, query);
    },

    async countThreads(caller, filter) {
      return threads.count(caller, filter);
    },

    async updateThread(caller, threadId, patch, known) {
      return threads.update(caller, threadId, patch, known);
    },

    async settleThread(caller, threadId, settled) {
      await threads.settle(caller, threadId, settled);
    },

    async copyThread(caller, threadId, { copyId, metadata: overrides, source }) {
      const original = await threads.getSame(caller, threadId, source ?? (await threads.get(caller, threadId)));
      const metadata = { ...copyMetadata(original.metadata, copyId), ...overrides };
      await threads.createHidden(caller, { ...givenFields(original), threadId: copyId, metadata });
      await copyState(caller, threadId, copyId);
      // During the copy, the original may have been deleted and a new thread may have got its id.
      // Then the copied state may be that of the new thread. In this case `getSame` throws, the
      // copy stays hidden, and a sweeper removes it.
      await threads.getSame(caller, threadId, original);
      await threads.reveal(caller, copyId);
      return threads.get(caller, copyId);
    },

    async pruneThread(caller, threadId) {
      await threads.assertOpen(caller, threadId);
      await pruneState(caller, threadId);
    },

    async dueThreads(caller, query) {
      return threads.due(caller, query);
    },

    async thinnableThreads(caller, query) {
      return threads.thinnable(caller, query);
    },

    async thinThread(caller, thread, policy, now) {
      const { threadId } = thread;
      const until = new Date(now.getTime() + THINNING_MS);
      if (!(await threads.scheduleThinning(caller, thread, until))) return false;
      let wasIdle = true;
      const isIdle = async () => (wasIdle = (await runs.active(caller, threadId)).length === 0);
      const next = await thinState(caller, threadId, policy, { now, isIdle });
      if (wasIdle) await threads.scheduleThinning(caller, { threadId, since: until }, next);
      return wasIdle;
    },

    async closeThread(caller, threadId, identity) {
      await threads.close(caller, threadId, identity);
      await runs.closeThread(caller, threadId);
    },

    async deleteThread(caller, threadId) {
      await threads.assertClosed(caller, threadId);
      await Promise.all([removeState(caller, threadId), runs.removeThread(caller, threadId)]);
      // The record is removed last. Until then the thread stays closed, and a retry can finish the
      // deletion.
      await threads.remove(caller, threadId);
    },

    async createRun(caller, run) {
      const [created, open] = await Promise.allSettled([
        runs.create(caller, run),
        threads.assertOpen(caller, run.threadId),
      ]);
      if (open.status === 'rejected') {
        if (created.status === 'fulfilled' && created.value.created)
          await runs.discard(caller, run.threadId, run.runId);
        throw open.reason;
      }
      if (created.status === 'rejected') throw created.reason;
      return created.value;
    },

    async admitRun(caller, threadId, runId) {
      await runs.admit(caller, threadId, runId);
    },

    async discardRun(caller, threadId, runId) {
      await runs.discard(caller, threadId, runId);
    },

    async getRun(caller, threadId, runId, { admittedOnly = true } = {}) {
      return runs.get(caller, threadId, runId, admittedOnly);
    },

    async listRuns(caller, threadId, query) {
      const [found] = await Promise.all([runs.list(caller, threadId, query), threads.assertOpen(caller, threadId)]);
      return found;
    },

    async activeRuns(caller, threadId) {
      const [found] = await Promise.all([runs.active(caller, threadId), threads.assertOpen(caller, threadId)]);
      return found;
    },

    async allActiveRuns(caller) {
      return runs.allActive(caller);
    },

    async steerRun(caller, threadId, runId) {
      await heads.steer(caller.tenant, threadId, runId);
    },

    async setCancelReason(caller, threadId, runId, reason) {
      await runs.setCancelReason(caller, threadId, runId, reason);
    },

    async startRun(caller, threadId, runId, start) {
      const [isRunning] = await Promise.all([
        runs.start(caller, threadId, runId, start),
        threads.startRun(caller, threadId, runId, start),
      ]);
      return isRunning;
    },

    async endRun(caller, threadId, end) {
      // Checked first, so that the run does not count as ended if the thread's record cannot be written.
      threads.guardEnd(threadId, end);
      const [ended] = await Promise.all([runs.end(caller, threadId, end), threads.endRun(caller, threadId, end)]);
      return ended;
    },

    async unchangedRuns(caller, before) {
      return runs.unchanged(caller, before);
    },

    async endLostRun(caller, run, end) {
      if (!(await runs.endUnchanged(caller, run, end.error))) return false;
      await threads.endLostRun(caller, run, end);
      return true;
    },

    async countFailure(caller, threadId, runId, failed) {
      return runs.countFailure(caller, threadId, runId, failed);
    },

    async markSuspect(caller, threadId, runId, fence) {
      await runs.markSuspect(caller, threadId, runId, fence);
    },

    async keepError(caller, threadId, runId, failed) {
      await runs.keepError(caller, threadId, runId, failed);
    },

    async removeRun(caller, threadId, runId) {
      await runs.remove(caller, threadId, runId);
    },
  });
}

/** Returns the store with a default: a new thread for which no TTL is given gets this TTL. */
export function withDefaultTtl(store: ThreadStore, ttl: NewTtl | undefined): ThreadStore {
  if (ttl === undefined) return store;
  return { ...store, createThread: (caller, thread) => store.createThread(caller, { ttl, ...thread }) };
}

/**
 * Returns the metadata for a copy of a thread. If they have the key `thread_id`, its value becomes
 * the id of the copy. Leaves out the metadata that mark a thread as the thread of a stateless run:
 * such a thread is deleted after its run, but its copy must be kept.
 */
function copyMetadata(metadata: Record<string, unknown>, copyId: string): Record<string, unknown> {
  const marks = Object.keys(STATELESS_METADATA);
  const kept = Object.entries(metadata).filter(([key]) => !marks.includes(key));
  return { ...Object.fromEntries(kept), ...('thread_id' in metadata && { thread_id: copyId }) };
}
