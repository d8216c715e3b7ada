import type { Collection, Filter, UpdateFilter } from 'mongodb';
import {
  ColloquyError,
  type Caller,
  type Interrupt,
  type RunError,
  type Thread,
  type ThreadStatus,
} from '../protocol/index.js';
import { isDuplicateKey } from './mongo-errors.js';
import type { NewThread, RunEnd, ThreadQuery } from './ports.js';
import { encodeJson, guardPage, guardUuid, labels, type JsonObject } from './record-fields.js';

export interface ThreadDocument {
  /** `<tenant>/<threadId>` */
  _id: string;
  tenant: string;
  threadId: string;
  status: ThreadStatus;
  /** JSON text. */
  metadata: string;
  labels: string[];
  /** JSON text. */
  config: string;
  /** JSON text. */
  interrupts: string;
  error?: RunError;
  /** Run that made the thread busy. */
  currentRun: string | null;
  /** Offset at which the newest run started. */
  startedSeq?: number;
  /** The last runs that ended, so that a late start of one does not make the thread busy again. */
  endedRuns: string[];
  createdAt: Date;
  updatedAt: Date;
  deletedAt?: Date;
}

const ENDED_RUNS_KEPT = 20;
const UPDATE_ATTEMPTS = 20;

export function threadKey(tenant: string, threadId: string): string {
  return `${tenant}/${guardUuid('thread_id', threadId)}`;
}

/** Records of threads; authorization is done. */
export class ThreadRecords {
  readonly #threads: Collection<ThreadDocument>;

  constructor(threads: Collection<ThreadDocument>) {
    this.#threads = threads;
  }

  async create(caller: Caller, thread: NewThread): Promise<Thread> {
    const now = new Date();
    const metadata = thread.metadata ?? {};
    const threadId = guardUuid('thread_id', thread.threadId);
    const document: ThreadDocument = {
      _id: threadKey(caller.tenant, threadId),
      tenant: caller.tenant,
      threadId,
      status: 'idle',
      metadata: encodeJson(`metadata of thread ${threadId}`, metadata),
      labels: labels(caller.tenant, metadata),
      config: encodeJson(`config of thread ${threadId}`, thread.config ?? {}),
      interrupts: '{}',
      currentRun: null,
      endedRuns: [],
      createdAt: now,
      updatedAt: now,
    };
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

  count(caller: Caller, query: Pick<ThreadQuery, 'metadata' | 'status'>): Promise<number> {
    return this.#threads.countDocuments(threadFilter(caller, query));
  }

  /** Merges by compare-and-set on the metadata that was read: a concurrent merge of other keys is kept. */
  async update(caller: Caller, threadId: string, patch: { metadata?: JsonObject }, known?: Thread): Promise<Thread> {
    for (let attempt = 0; attempt < UPDATE_ATTEMPTS; attempt += 1) {
      const stored = attempt === 0 && known !== undefined ? undefined : await this.#open(caller, threadId);
      const found = stored === undefined ? (known as Thread) : asThread(stored);
      if (patch.metadata === undefined) return found;
      const what = `metadata of thread ${threadId}`;
      const metadata = { ...found.metadata, ...patch.metadata };
      const updatedAt = new Date();
      const { matchedCount } = await this.#threads.updateOne(
        {
          _id: threadKey(caller.tenant, threadId),
          metadata: stored?.metadata ?? encodeJson(what, found.metadata),
          deletedAt: { $exists: false },
        },
        { $set: { metadata: encodeJson(what, metadata), labels: labels(caller.tenant, metadata), updatedAt } },
      );
      if (matchedCount > 0) return { ...found, metadata, updatedAt };
    }
    throw new ColloquyError(
      'conflict',
      `metadata of thread ${threadId} changes all the time; ${UPDATE_ATTEMPTS} merges were overtaken`,
    );
  }

  async close(caller: Caller, threadId: string): Promise<void> {
    const { matchedCount } = await this.#threads.updateOne(
      { _id: threadKey(caller.tenant, threadId) },
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
  startRun(caller: Caller, threadId: string, runId: string, afterSeq: number): Promise<void> {
    return this.#move(
      caller,
      threadId,
      { endedRuns: { $ne: runId }, startedSeq: { $not: { $gt: afterSeq } } },
      {
        $set: { status: 'busy', currentRun: runId, startedSeq: afterSeq, updatedAt: new Date() },
        $unset: { error: '' },
      },
    );
  }

  /** The end of a run that is not the current one (cancelled while it waited) does not touch a busy thread. */
  endRun(caller: Caller, threadId: string, end: RunEnd): Promise<void> {
    const status = end.threadStatus;
    const failed = status === 'error' && end.error !== undefined;
    return this.#move(
      caller,
      threadId,
      { endedRuns: { $ne: end.runId }, currentRun: { $in: [end.runId, null] } },
      {
        $set: {
          status,
          currentRun: null,
          interrupts: encodeJson(`interrupts of thread ${threadId}`, end.interrupts),
          updatedAt: new Date(),
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

/** The most selective condition comes first: SecantusDB looks for an index in that order. */
function threadFilter(caller: Caller, query: Pick<ThreadQuery, 'ids' | 'metadata' | 'status'>): Filter<ThreadDocument> {
  const wanted = labels(caller.tenant, query.metadata ?? {});
  return {
    ...(query.ids === undefined
      ? {}
      : { _id: { $in: query.ids.map((id) => `${caller.tenant}/${guardUuid('ids', id)}`) } }),
    ...(wanted.length === 0 ? {} : { labels: { $all: wanted } }),
    tenant: caller.tenant,
    deletedAt: { $exists: false },
    ...(query.status === undefined ? {} : { status: query.status }),
  };
}

function noThread(threadId: string): ColloquyError {
  return new ColloquyError('not_found', `thread ${threadId} does not exist`);
}

function asThread(document: ThreadDocument): Thread {
  const { tenant, threadId, status, error, createdAt, updatedAt } = document;
  return {
    tenant,
    threadId,
    status,
    metadata: JSON.parse(document.metadata) as JsonObject,
    config: JSON.parse(document.config) as JsonObject,
    interrupts: JSON.parse(document.interrupts) as Record<string, Interrupt[]>,
    ...(error === undefined ? {} : { error }),
    createdAt,
    updatedAt,
  };
}
