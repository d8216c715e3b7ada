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
import { encodeJson, guardUuid, labels, wantedLabels, withLabels, type JsonObject } from './record-fields.js';

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
  /** Run that made the thread busy. */
  currentRun: string | null;
  /** Offset at which the newest run started. */
  startedSeq?: number;
  /** Fence of the attempt that started the newest run or took it over last. */
  runFence?: Fence;
  /** The last runs that ended, so that a late start of one does not make the thread busy again. */
  endedRuns: string[];
  ttl?: ThreadTtl;
  createdBy?: Origin;
  createdAt: Date;
  updatedAt: Date;
  /** Absent in threads of before there was one. */
  stateUpdatedAt?: Date;
  /** Its history has changed since it was last thinned, or will have checkpoints that are too old: it is looked at then. */
  thinAt?: Date;
  /** Its state came from LangGraph's own saver. */
  isImported?: true;
  /** It is being deleted, or not whole yet; whatever of it is there is swept in the end. */
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
    labels: labels(caller.tenant, metadata),
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

/** When a thread's time is over, from now on. */
export function expiry({ strategy, minutes }: Omit<ThreadTtl, 'expiresAt'>, now: Date): ThreadTtl {
  return { strategy, minutes, expiresAt: new Date(now.getTime() + minutes * MINUTE_MS) };
}

/** The most selective condition comes first: SecantusDB looks for an index in that order. */
export function threadFilter(caller: Caller, query: ThreadFilter): Filter<ThreadDocument> {
  const wanted = wantedLabels(caller.tenant, query.metadata ?? {});
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
