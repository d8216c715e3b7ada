import type { Collection, Filter, UpdateFilter } from 'mongodb';
import {
  ColloquyError,
  WHOLE_IN_RECORD,
  shortRunError,
  type Caller,
  type Run,
  type Thread,
} from '../../protocol/index.js';
import { isDuplicateKey } from '../../database/index.js';
import type {
  DueQuery,
  DueThread,
  LostRunEnd,
  NewThread,
  RunEnd,
  RunStart,
  ThinnableThread,
  ThreadFilter,
  ThreadIdentity,
  ThreadPatch,
  ThreadQuery,
  SettledState,
} from './ports.js';
import { encodeJson, guardPage, isStorable, recordLabels, notAbove } from './record-fields.js';
import {
  asThread,
  encodeFields,
  expiry,
  newThreadDocument,
  noThread,
  threadFilter,
  threadKey,
  type ThreadDocument,
} from './thread-documents.js';

const ENDED_RUNS_KEPT = 20;
const UPDATE_ATTEMPTS = 20;

/** Reads and writes the records of threads, without a check of authorization. */
export class ThreadRecords {
  readonly #threads: Collection<ThreadDocument>;

  constructor(threads: Collection<ThreadDocument>) {
    this.#threads = threads;
  }

  async create(caller: Caller, thread: NewThread): Promise<Thread> {
    const document = newThreadDocument(caller, thread);
    try {
      await this.#threads.insertOne(document);
      return asThread(document);
    } catch (error) {
      throw isDuplicateKey(error) ? await this.#refusal(document) : error;
    }
  }

  /** Returns the error for a thread that cannot be created because its id is in use. */
  async #refusal({ _id, threadId }: ThreadDocument): Promise<ColloquyError> {
    const found = await this.#threads.findOne({ _id }, { projection: { deletedAt: 1 } });
    if (found === null)
      return new ColloquyError('conflict', `thread ${threadId} was deleted concurrently; create it again`);
    if (found.deletedAt !== undefined) return new ColloquyError('thread_closed', `thread ${threadId} is being deleted`);
    return new ColloquyError('already_exists', `thread ${threadId} exists already`);
  }

  async get(caller: Caller, threadId: string): Promise<Thread> {
    return asThread(await this.#open(caller, threadId));
  }

  /**
   * Returns the thread with this id, if it is the thread that `identity` describes. Errors:
   * `not_found` if the thread is gone, or if a later thread now has the same id.
   */
  async getSame(caller: Caller, threadId: string, identity: ThreadIdentity): Promise<Thread> {
    const found = await this.get(caller, threadId);
    if (isSameThread(found, identity)) return found;
    throw noThread(threadId);
  }

  /** Checks that a thread is open. Errors: `not_found` if it does not exist or is closed. */
  async assertOpen(caller: Caller, threadId: string): Promise<void> {
    const key = threadKey(caller.tenant, threadId);
    const found = await this.#threads.findOne({ _id: key }, { projection: { deletedAt: 1 } });
    if (found === null || found.deletedAt !== undefined) throw noThread(threadId);
  }

  async search(caller: Caller, query: ThreadQuery): Promise<Thread[]> {
    guardPage(query);
    const field = {
      thread_id: 'threadId',
      status: 'status',
      created_at: 'createdAt',
      updated_at: 'updatedAt',
      state_updated_at: 'stateUpdatedAt',
    } as const;
    const direction = query.sortOrder === 'asc' ? 1 : -1;
    const found = await this.#threads
      .find(threadFilter(caller, query))
      .sort({ [field[query.sortBy ?? 'created_at']]: direction, _id: direction })
      .skip(query.offset)
      .limit(query.limit)
      .toArray();
    return found.map(asThread);
  }

  count(caller: Caller, query: ThreadFilter): Promise<number> {
    return this.#threads.countDocuments(threadFilter(caller, query));
  }

  /**
   * Merges new metadata into a thread, and replaces its TTL if the patch has one. The write is a
   * compare-and-set on the metadata that were read, so that no concurrent merge is lost.
   */
  async update(caller: Caller, threadId: string, patch: ThreadPatch, known?: Thread): Promise<Thread> {
    for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt += 1) {
      const stored = attempt === 0 && known !== undefined ? undefined : await this.#open(caller, threadId);
      const found = stored === undefined ? (known as Thread) : asThread(stored);
      if (known !== undefined && !isSameThread(found, known)) throw noThread(threadId);
      const updatedAt = new Date();
      const { ttl, ...given } = patch;
      const metadata = { ...found.metadata, ...given.metadata };
      const changes = { ...given, metadata, updatedAt, ...(ttl && { ttl: expiry(ttl, updatedAt) }) };
      const { matchedCount } = await this.#threads.updateOne(
        {
          _id: threadKey(caller.tenant, threadId),
          metadata: stored?.metadata ?? encodeJson(`metadata of thread ${threadId}`, found.metadata),
          ...(known && { createdAt: known.createdAt }),
          deletedAt: { $exists: false },
        },
        { $set: { ...encodeFields(threadId, changes), labels: recordLabels(caller.tenant, metadata) } },
      );
      if (matchedCount > 0) return { ...found, ...changes };
    }
    throw new ColloquyError(
      'conflict',
      `metadata of thread ${threadId} was changed concurrently ${UPDATE_ATTEMPTS} times in a row; try again later`,
    );
  }

  /**
   * Stores status and open interrupts of a thread after its state was edited from outside of a run.
   * Does nothing if the thread is busy, because the end of its run stores both.
   */
  async settle(caller: Caller, threadId: string, settled: SettledState): Promise<void> {
    await this.#updateOpen(
      caller,
      threadId,
      { currentRun: null },
      { $set: settledFields(threadId, settled), $unset: { error: '' } },
    );
  }

  /**
   * Creates a thread that is invisible until {@link reveal} is called. If that never happens, a
   * sweeper removes the thread, like a thread whose deletion was interrupted.
   */
  async createHidden(caller: Caller, thread: NewThread): Promise<void> {
    await this.#threads.insertOne({ ...newThreadDocument(caller, thread), deletedAt: new Date() });
  }

  async reveal(caller: Caller, threadId: string): Promise<void> {
    const key = threadKey(caller.tenant, threadId);
    const update = { $unset: { deletedAt: '' }, $set: { thinAt: new Date() } } as const;
    const { matchedCount } = await this.#threads.updateOne({ _id: key }, update);
    if (matchedCount === 0) throw noThread(threadId);
  }

  /**
   * Returns two kinds of threads: threads whose TTL has ended, except busy ones; and closed threads
   * that are not deleted yet.
   */
  async due(caller: Caller, { expired, closed, limit }: DueQuery): Promise<DueThread[]> {
    const { tenant } = caller;
    const projection = { threadId: 1, deletedAt: 1, ttl: 1 } as const;
    const pages = await Promise.all([
      this.#threads
        .find({ 'ttl.expiresAt': { $lte: expired }, tenant, status: { $ne: 'busy' } }, { projection, limit })
        .toArray(),
      this.#threads.find({ deletedAt: { $lte: closed }, tenant }, { projection, limit }).toArray(),
    ]);
    const found = new Map(pages.flat().map((document) => [document.threadId, document]));
    return [...found.values()].map(({ threadId, deletedAt, ttl }) => ({
      threadId,
      isClosed: deletedAt !== undefined,
      ...(ttl && { ttl }),
    }));
  }

  async thinnable({ tenant }: Caller, { now, limit }: { now: Date; limit: number }): Promise<ThinnableThread[]> {
    const due = { thinAt: { $lte: now }, tenant, deletedAt: { $exists: false }, status: { $ne: 'busy' } } as const;
    const options = { projection: { threadId: 1, thinAt: 1 }, sort: { thinAt: 1 }, limit } as const;
    const found = await this.#threads.find(due, options).toArray();
    return found.flatMap(({ threadId, thinAt }) => (thinAt === undefined ? [] : [{ threadId, since: thinAt }]));
  }

  /**
   * Sets the time of the next thinning (removal of older checkpoints) of a thread. If `when` is
   * undefined, no thinning is due until the thread changes. If the stored time is not `since`, the
   * thread has changed, or another process thins it. Then changes nothing and returns false.
   */
  async scheduleThinning(
    { tenant }: Caller,
    { threadId, since }: ThinnableThread,
    when: Date | undefined,
  ): Promise<boolean> {
    const { matchedCount } = await this.#threads.updateOne(
      { _id: threadKey(tenant, threadId), thinAt: since, deletedAt: { $exists: false } },
      when === undefined ? { $unset: { thinAt: '' } } : { $set: { thinAt: when } },
    );
    return matchedCount > 0;
  }

  /**
   * Creates a thread that is invisible until {@link finishImport}, or resets the record that an
   * interrupted import has left. Returns false if an earlier import has imported the thread
   * completely. Errors: `already_exists` if the thread exists already and was not imported.
   */
  async beginImport(caller: Caller, thread: NewThread): Promise<boolean> {
    const document = { ...newThreadDocument(caller, thread), isImported: true as const, deletedAt: new Date() };
    try {
      await this.#threads.insertOne(document);
      return true;
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
    }
    const found = await this.#threads.findOne({ _id: document._id });
    if (found?.isImported !== true) {
      throw new ColloquyError('already_exists', `thread ${thread.threadId} exists and was not imported`);
    }
    if (found.deletedAt === undefined) return false;
    const { _id, ...fields } = document;
    await this.#threads.updateOne({ _id }, { $set: fields });
    return true;
  }

  /**
   * Sets the field `deletedAt` of a thread that is being imported to the current time. If this time
   * is old, a sweeper concludes that the import was interrupted, and removes the thread.
   */
  async continueImport(caller: Caller, threadId: string): Promise<void> {
    await this.#threads.updateOne({ _id: threadKey(caller.tenant, threadId) }, { $set: { deletedAt: new Date() } });
  }

  async finishImport(
    caller: Caller,
    threadId: string,
    { settled, from, to }: { settled: SettledState; from: Date; to: Date },
  ): Promise<void> {
    const interrupts = encodeInterrupts(threadId, settled.interrupts);
    const times = { createdAt: from, updatedAt: to, stateUpdatedAt: to, thinAt: new Date() };
    const { matchedCount } = await this.#threads.updateOne(
      { _id: threadKey(caller.tenant, threadId) },
      { $set: { status: settled.status, interrupts, ...times }, $unset: { deletedAt: '' } },
    );
    if (matchedCount === 0) throw noThread(threadId);
  }

  async close(caller: Caller, threadId: string, identity?: ThreadIdentity): Promise<void> {
    const { matchedCount } = await this.#threads.updateOne(
      {
        _id: threadKey(caller.tenant, threadId),
        ...(identity && { createdAt: identity.createdAt, deletedAt: { $exists: false } }),
      },
      { $set: { deletedAt: new Date() } },
    );
    if (matchedCount === 0) throw noThread(threadId);
  }

  /** Checks that a thread is closed or gone. Errors: `conflict` if the thread is open. */
  async assertClosed(caller: Caller, threadId: string): Promise<void> {
    const key = threadKey(caller.tenant, threadId);
    const found = await this.#threads.findOne({ _id: key }, { projection: { deletedAt: 1 } });
    if (found !== null && found.deletedAt === undefined) {
      throw new ColloquyError('conflict', `thread ${threadId} is open; close it before deleting it`);
    }
  }

  async remove(caller: Caller, threadId: string): Promise<void> {
    await this.#threads.deleteOne({ _id: threadKey(caller.tenant, threadId) });
  }

  /**
   * Marks the thread of a run as busy. Does nothing if the run has ended, a newer run has started,
   * or an attempt with a higher fence has started the run.
   */
  startRun(caller: Caller, threadId: string, runId: string, { afterSeq, fence }: RunStart): Promise<void> {
    return this.#updateOpen(
      caller,
      threadId,
      { endedRuns: { $ne: runId }, startedSeq: { $not: { $gt: afterSeq } }, runFence: notAbove(fence) },
      {
        $set: { status: 'busy', currentRun: runId, startedSeq: afterSeq, runFence: fence, updatedAt: new Date() },
        $unset: { error: '' },
      },
    );
  }

  /** Checks that {@link endRun} can store the open questions. Errors: `too_large`. */
  guardEnd(threadId: string, { interrupts }: RunEnd): void {
    encodeInterrupts(threadId, interrupts);
  }

  /**
   * Stores the result of a run in the record of its thread. Does nothing if the result is stored
   * already, or if an attempt with a higher fence has started a run. Also does nothing if the
   * thread is busy with another run, because then the ended run was cancelled before it started.
   */
  endRun(caller: Caller, threadId: string, end: RunEnd): Promise<void> {
    const status = end.threadStatus;
    // Searches return many threads, so a thread's record has only the beginning of a long error.
    const error = status === 'error' && end.error !== undefined ? shortRunError(end.error, WHOLE_IN_RECORD) : undefined;
    return this.#updateOpen(
      caller,
      threadId,
      { endedRuns: { $ne: end.runId }, currentRun: { $in: [end.runId, null] }, runFence: notAbove(end.fence) },
      {
        $set: {
          ...settledFields(threadId, { status, interrupts: end.interrupts }),
          currentRun: null,
          ...(error === undefined ? {} : { error }),
        },
        $push: { endedRuns: { $each: [end.runId], $slice: -ENDED_RUNS_KEPT } },
        ...(error === undefined ? { $unset: { error: '' } } : {}),
      },
    );
  }

  /**
   * Stores the end of a lost run in the record of its thread. Needs no fence, because the run is
   * named: a thread that another run has made busy is left unchanged. Questions that are too large
   * for the record are left out, because they must not prevent the end of the run.
   */
  endLostRun(caller: Caller, { threadId, runId }: Run, { error, isNewest, ...end }: LostRunEnd): Promise<void> {
    const interrupts = isStorable(end.interrupts) ? end.interrupts : {};
    return this.#updateOpen(
      caller,
      threadId,
      { endedRuns: { $ne: runId }, currentRun: isNewest ? { $in: [runId, null] } : runId },
      {
        $set: { ...settledFields(threadId, { status: 'error', interrupts }), currentRun: null, error },
        $push: { endedRuns: { $each: [runId], $slice: -ENDED_RUNS_KEPT } },
      },
    );
  }

  /**
   * Updates a thread if it matches the condition. Does nothing if the thread is open but does not
   * match. Errors: `not_found` if the thread is not open.
   */
  async #updateOpen(
    caller: Caller,
    threadId: string,
    condition: Filter<ThreadDocument>,
    update: UpdateFilter<ThreadDocument>,
  ): Promise<void> {
    const key = threadKey(caller.tenant, threadId);
    const { matchedCount } = await this.#threads.updateOne(
      { _id: key, deletedAt: { $exists: false }, ...condition },
      update,
    );
    if (matchedCount === 0) await this.assertOpen(caller, threadId);
  }

  async #open(caller: Caller, threadId: string): Promise<ThreadDocument> {
    const found = await this.#threads.findOne({ _id: threadKey(caller.tenant, threadId) });
    if (found === null || found.deletedAt !== undefined) throw noThread(threadId);
    return found;
  }
}

/** Returns the fields that change whenever the state of a thread comes to rest. */
function settledFields(
  threadId: string,
  { status, interrupts }: Pick<Thread, 'status' | 'interrupts'>,
): Pick<ThreadDocument, 'status' | 'interrupts' | 'updatedAt' | 'stateUpdatedAt' | 'thinAt'> {
  const now = new Date();
  const text = encodeInterrupts(threadId, interrupts);
  return { status, interrupts: text, updatedAt: now, stateUpdatedAt: now, thinAt: now };
}

function encodeInterrupts(threadId: string, interrupts: Thread['interrupts']): string {
  return encodeJson(`the list of open questions (interrupts) of thread ${threadId}`, interrupts);
}

function isSameThread(thread: ThreadIdentity, other: ThreadIdentity): boolean {
  return thread.createdAt.getTime() === other.createdAt.getTime();
}
