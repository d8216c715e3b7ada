import type { Collection, Filter, UpdateFilter } from 'mongodb';
import { ColloquyError, type Caller, type Thread } from '../../protocol/index.js';
import { isDuplicateKey } from '../../database/index.js';
import type {
  DueQuery,
  DueThread,
  NewThread,
  RunEnd,
  RunStart,
  ThinnableThread,
  ThreadFilter,
  ThreadMark,
  ThreadPatch,
  ThreadQuery,
  ThreadStanding,
} from './ports.js';
import { encodeJson, guardPage, labels, notAbove } from './record-fields.js';
import {
  asThread,
  expiry,
  newThreadDocument,
  noThread,
  threadFilter,
  threadKey,
  type ThreadDocument,
} from './thread-documents.js';

const ENDED_RUNS_KEPT = 20;
const UPDATE_ATTEMPTS = 20;

/** Records of threads; authorization is done. */
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
      if (!isDuplicateKey(error)) throw error;
      return this.#existing(document._id, thread);
    }
  }

  async #existing(key: string, { threadId, ifExists = 'raise' }: NewThread): Promise<Thread> {
    const found = await this.#threads.findOne({ _id: key });
    if (found?.deletedAt !== undefined) throw new ColloquyError('thread_closed', `thread ${threadId} is being deleted`);
    if (found === null)
      throw new ColloquyError('conflict', `thread ${threadId} was deleted meanwhile; create it again`);
    if (ifExists === 'raise') throw new ColloquyError('already_exists', `thread ${threadId} exists already`);
    return asThread(found);
  }

  async get(caller: Caller, threadId: string): Promise<Thread> {
    return asThread(await this.#open(caller, threadId));
  }

  /** Errors: `not_found` where the thread of this id is gone, or is not this very one. */
  async getSame(caller: Caller, threadId: string, mark: ThreadMark): Promise<Thread> {
    const found = await this.get(caller, threadId);
    if (isSameThread(found, mark)) return found;
    throw noThread(threadId);
  }

  /** Errors: `not_found` where there is no thread that takes runs. */
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

  /** Merges by compare-and-set on the metadata that was read: a concurrent merge of other keys is kept. */
  async update(caller: Caller, threadId: string, patch: ThreadPatch, known?: Thread): Promise<Thread> {
    for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt += 1) {
      const stored = attempt === 0 && known !== undefined ? undefined : await this.#open(caller, threadId);
      const found = stored === undefined ? (known as Thread) : asThread(stored);
      if (known !== undefined && !isSameThread(found, known)) throw noThread(threadId);
      const what = `metadata of thread ${threadId}`;
      const metadata = { ...found.metadata, ...patch.metadata };
      const updatedAt = new Date();
      const ttl = patch.ttl && expiry(patch.ttl, updatedAt);
      const { matchedCount } = await this.#threads.updateOne(
        {
          _id: threadKey(caller.tenant, threadId),
          metadata: stored?.metadata ?? encodeJson(what, found.metadata),
          ...(known && { createdAt: known.createdAt }),
          deletedAt: { $exists: false },
        },
        {
          $set: {
            metadata: encodeJson(what, metadata),
            labels: labels(caller.tenant, metadata),
            updatedAt,
            ...(ttl && { ttl }),
          },
        },
      );
      if (matchedCount > 0) return { ...found, metadata, updatedAt, ...(ttl && { ttl }) };
    }
    throw new ColloquyError(
      'conflict',
      `metadata of thread ${threadId} changes all the time; ${UPDATE_ATTEMPTS} merges were overtaken`,
    );
  }

  /** How a thread stands after an edit of its state. One that a run works on hears it from the run's end. */
  async settle(caller: Caller, threadId: string, standing: ThreadStanding): Promise<void> {
    const now = new Date();
    await this.#move(
      caller,
      threadId,
      { currentRun: null },
      {
        $set: {
          status: standing.status,
          interrupts: encodeJson(`interrupts of thread ${threadId}`, standing.interrupts),
          updatedAt: now,
          stateUpdatedAt: now,
          thinAt: now,
        },
        $unset: { error: '' },
      },
    );
  }

  /** A thread that is not there for anybody until {@link reveal}; where that never comes, it is swept as one half deleted. */
  async createHidden(caller: Caller, thread: NewThread): Promise<void> {
    await this.#threads.insertOne({ ...newThreadDocument(caller, thread), deletedAt: new Date() });
  }

  async reveal(caller: Caller, threadId: string): Promise<void> {
    const key = threadKey(caller.tenant, threadId);
    const shown = { $unset: { deletedAt: '' }, $set: { thinAt: new Date() } } as const;
    const { matchedCount } = await this.#threads.updateOne({ _id: key }, shown);
    if (matchedCount === 0) throw noThread(threadId);
  }

  /** Threads whose time was over at a moment, and those that were closed before another and are still there. */
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

  /** Says when its history is to be looked at again, if nothing has happened to it since it was read; undefined: when it changes. */
  async thinAgain({ tenant }: Caller, { threadId, since }: ThinnableThread, at: Date | undefined): Promise<boolean> {
    const { matchedCount } = await this.#threads.updateOne(
      { _id: threadKey(tenant, threadId), thinAt: since, deletedAt: { $exists: false } },
      at === undefined ? { $unset: { thinAt: '' } } : { $set: { thinAt: at } },
    );
    return matchedCount > 0;
  }

  /** A thread that nobody sees until {@link finishImport}. False: it was imported before. Errors: `already_exists` for one that was not. */
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
      throw new ColloquyError('already_exists', `a thread ${thread.threadId} that was not imported is there`);
    }
    if (found.deletedAt === undefined) return false;
    const { _id, ...fields } = document;
    await this.#threads.updateOne({ _id }, { $set: fields });
    return true;
  }

  /** It is not cut off: sweepers leave it alone. */
  async continueImport(caller: Caller, threadId: string): Promise<void> {
    await this.#threads.updateOne({ _id: threadKey(caller.tenant, threadId) }, { $set: { deletedAt: new Date() } });
  }

  async finishImport(
    caller: Caller,
    threadId: string,
    { standing, from, to }: { standing: ThreadStanding; from: Date; to: Date },
  ): Promise<void> {
    const interrupts = encodeJson(`interrupts of thread ${threadId}`, standing.interrupts);
    const times = { createdAt: from, updatedAt: to, stateUpdatedAt: to, thinAt: new Date() };
    const { matchedCount } = await this.#threads.updateOne(
      { _id: threadKey(caller.tenant, threadId) },
      { $set: { status: standing.status, interrupts, ...times }, $unset: { deletedAt: '' } },
    );
    if (matchedCount === 0) throw noThread(threadId);
  }

  async close(caller: Caller, threadId: string, mark?: ThreadMark): Promise<void> {
    const { matchedCount } = await this.#threads.updateOne(
      {
        _id: threadKey(caller.tenant, threadId),
        ...(mark && { createdAt: mark.createdAt, deletedAt: { $exists: false } }),
      },
      { $set: { deletedAt: new Date() } },
    );
    if (matchedCount === 0) throw noThread(threadId);
  }

  /** Errors: `conflict` for a thread that is not closed. One that is gone is fine. */
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

  /** A start that comes after the run's end, or after the start of a newer run, changes nothing. */
  startRun(caller: Caller, threadId: string, runId: string, { afterSeq, fence }: RunStart): Promise<void> {
    return this.#move(
      caller,
      threadId,
      { endedRuns: { $ne: runId }, startedSeq: { $not: { $gt: afterSeq } }, runFence: notAbove(fence) },
      {
        $set: { status: 'busy', currentRun: runId, startedSeq: afterSeq, runFence: fence, updatedAt: new Date() },
        $unset: { error: '' },
      },
    );
  }

  /** The end of a run that is not the current one (cancelled while it waited) does not touch a busy thread. */
  endRun(caller: Caller, threadId: string, end: RunEnd): Promise<void> {
    const status = end.threadStatus;
    const now = new Date();
    const failed = status === 'error' && end.error !== undefined;
    return this.#move(
      caller,
      threadId,
      { endedRuns: { $ne: end.runId }, currentRun: { $in: [end.runId, null] }, runFence: notAbove(end.fence) },
      {
        $set: {
          status,
          currentRun: null,
          interrupts: encodeJson(`interrupts of thread ${threadId}`, end.interrupts),
          updatedAt: now,
          stateUpdatedAt: now,
          thinAt: now,
          ...(failed ? { error: end.error } : {}),
        },
        $push: { endedRuns: { $each: [end.runId], $slice: -ENDED_RUNS_KEPT } },
        ...(failed ? {} : { $unset: { error: '' } }),
      },
    );
  }

  async #move(
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

function isSameThread(one: ThreadMark, other: ThreadMark): boolean {
  return one.createdAt.getTime() === other.createdAt.getTime();
}
