import type { Filter } from 'mongodb';
import {
  ColloquyError,
  originOf,
  type Caller,
  type Fence,
  type Interrupt,
  type Origin,
  type RunError,
  type Thread,
  type ThreadStatus,
  type ThreadTtl,
} from '../../protocol/index.js';
import type { NewThread, ThreadFilter } from './ports.js';
import { encodeJson, guardUuid, recordLabels, queryLabels, withLabels, type JsonObject } from './record-fields.js';

const MINUTE_MS = 60_000;

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
  /** Id of the run that has made the thread busy. Null if the thread is not busy. */
  currentRun: string | null;
  /** Offset after which the events of the newest run begin. */
  startedSeq?: number;
  /** Fence of the attempt that started the newest run or took it over last. */
  runFence?: Fence;
  /**
   * Ids of the runs that ended last. If the start of one of them is stored late, it must not make
   * the thread busy.
   */
  endedRuns: string[];
  ttl?: ThreadTtl;
  createdBy?: Origin;
  createdAt: Date;
  updatedAt: Date;
  /**
   * When the state was last changed. Absent in threads that were created before this field existed.
   */
  stateUpdatedAt?: Date;
  /**
   * When the checkpoint history must be thinned next. A change sets it to the current time;
   * thinning sets it to the time at which further checkpoints become too old, or removes it.
   */
  thinAt?: Date;
  /** Set if the state was imported from LangGraph's own saver. */
  isImported?: true;
  /**
   * Set while the thread is being deleted, is being imported, or is the unfinished copy of another
   * thread. While set, the thread is hidden. If the work is interrupted, a sweeper removes the
   * thread.
   */
  deletedAt?: Date;
}

export function threadKey(tenant: string, threadId: string): string {
  return `${tenant}/${guardUuid('thread_id', threadId)}`;
}

export function newThreadDocument(caller: Caller, thread: NewThread): ThreadDocument {
  const now = new Date();
  const metadata = thread.metadata ?? {};
  const threadId = guardUuid('thread_id', thread.threadId);
  return {
    _id: threadKey(caller.tenant, threadId),
    tenant: caller.tenant,
    threadId,
    status: 'idle',
    metadata: encodeJson(`metadata of thread ${threadId}`, metadata),
    labels: recordLabels(caller.tenant, metadata),
    config: encodeJson(`config of thread ${threadId}`, thread.config ?? {}),
    interrupts: '{}',
    currentRun: null,
    endedRuns: [],
    ...(thread.ttl && { ttl: expiry(thread.ttl, now) }),
    createdBy: originOf(caller),
    createdAt: now,
    updatedAt: now,
    stateUpdatedAt: now,
  };
}

/** Returns a TTL with its end, which is `minutes` after `now`. */
export function expiry({ strategy, minutes }: Omit<ThreadTtl, 'expiresAt'>, now: Date): ThreadTtl {
  return { strategy, minutes, expiresAt: new Date(now.getTime() + minutes * MINUTE_MS) };
}

/**
 * Returns the MongoDB filter for a search. The most selective condition comes first, because some
 * databases with MongoDB's protocol use the index of the first indexed field.
 */
export function threadFilter(caller: Caller, query: ThreadFilter): Filter<ThreadDocument> {
  const wanted = queryLabels(caller.tenant, query.metadata ?? {});
  return {
    ...(query.ids === undefined
      ? {}
      : { _id: { $in: query.ids.map((id) => `${caller.tenant}/${guardUuid('ids', id)}`) } }),
    ...withLabels(caller.tenant, wanted, query.required),
    tenant: caller.tenant,
    deletedAt: { $exists: false },
    ...(query.status === undefined ? {} : { status: query.status }),
  };
}

export function noThread(threadId: string): ColloquyError {
  return new ColloquyError('not_found', `thread ${threadId} does not exist`);
}

export function asThread(document: ThreadDocument): Thread {
  const { tenant, threadId, status, error, ttl, createdBy, createdAt, updatedAt } = document;
  return {
    tenant,
    threadId,
    status,
    metadata: JSON.parse(document.metadata) as JsonObject,
    config: JSON.parse(document.config) as JsonObject,
    interrupts: JSON.parse(document.interrupts) as Record<string, Interrupt[]>,
    ...(error === undefined ? {} : { error }),
    ...(ttl === undefined ? {} : { ttl }),
    ...(createdBy === undefined ? {} : { createdBy }),
    createdAt,
    updatedAt,
    stateUpdatedAt: document.stateUpdatedAt ?? createdAt,
  };
}
