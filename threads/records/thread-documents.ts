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
  /** The run that made the thread busy. */
  currentRun: string | null;
  /** Offset at which the newest run started. */
  startedSeq?: number;
  /** Fence of the attempt that started the newest run or took it over last. */
  runFence?: Fence;
  /** The runs that ended last. A late start of one of these runs must not make the thread busy. */
  endedRuns: string[];
  ttl?: ThreadTtl;
  createdBy?: Origin;
  createdAt: Date;
  updatedAt: Date;
  /** Absent in threads that were created before this field existed. */
  stateUpdatedAt?: Date;
  /**
   * When to thin the history next: at once after a change, or when checkpoints become too old.
   * Absent if no thinning is due.
   */
  thinAt?: Date;
  /** The state was imported from LangGraph's official saver. */
  isImported?: true;
  /**
   * Set while the thread is being deleted, copied or imported. If this work is interrupted, a
   * sweeper removes the thread.
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

/** Returns the TTL of a thread, counted from `now`. */
export function expiry({ strategy, minutes }: Omit<ThreadTtl, 'expiresAt'>, now: Date): ThreadTtl {
  return { strategy, minutes, expiresAt: new Date(now.getTime() + minutes * MINUTE_MS) };
}

/**
 * Returns the filter of a query. The most selective condition comes first, because some databases
 * choose an index by field order.
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
