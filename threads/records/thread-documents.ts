import type { Filter } from 'mongodb';
import {
  ColloquyError,
  GIVEN_THREAD_FIELDS,
  originOf,
  type Caller,
  type Fence,
  type GivenThreadFields,
  type Thread,
  type ThreadTtl,
} from '../../protocol/index.js';
import type { NewThread, ThreadFilter } from './ports.js';
import { encodeJson, guardUuid, recordLabels, queryLabels, withLabels } from './record-fields.js';

const MINUTE_MS = 60_000;

/** Fields of a thread that are stored as JSON text, because users choose their keys. */
const JSON_FIELDS = ['metadata', 'config', 'interrupts'] as const satisfies (keyof Thread)[];
type JsonField = (typeof JSON_FIELDS)[number];

/** Fields of the document that clients never see. They are not fields of `Thread`. */
interface Bookkeeping {
  /** `<tenant>/<threadId>` */
  _id: string;
  labels: string[];
  /** Id of the run that has made the thread busy. Null if the thread is not busy. */
  currentRun: string | null;
  /** Offset in the thread's event log after which the events of the newest run begin. */
  startedSeq?: number;
  /**
   * Fence of the last attempt that has marked the thread as busy. An attempt with a lower fence
   * cannot change the thread's status.
   */
  runFence?: Fence;
  /**
   * Ids of the runs that ended last. The start of a run may be stored late, after the end of the
   * run. Such a start is ignored, so that it does not make the thread busy.
   */
  endedRuns: string[];
  /**
   * When the checkpoint history must be thinned next. The end of a run, or another change of the
   * state, sets it to the current time. Thinning sets it to the time at which further checkpoints
   * become too old, or removes it if none will.
   */
  thinAt?: Date;
  /** Set if the state was imported from LangGraph's own saver. */
  isImported?: true;
  /**
   * Set while the thread is being deleted, is being imported, or is the unfinished copy of another
   * thread. While set, the thread is hidden. If this work is cut off, a sweep removes the thread.
   */
  deletedAt?: Date;
}

const BOOKKEEPING: Record<keyof Bookkeeping, true> = {
  _id: true,
  labels: true,
  currentRun: true,
  startedSeq: true,
  runFence: true,
  endedRuns: true,
  thinAt: true,
  isImported: true,
  deletedAt: true,
};

export type ThreadDocument = Omit<Thread, JsonField | 'stateUpdatedAt'> &
  Record<JsonField, string> &
  Bookkeeping & {
    /**
     * When the state was last changed. Absent in threads that were created before this field
     * existed.
     */
    stateUpdatedAt?: Date;
  };

export function threadKey(tenant: string, threadId: string): string {
  return `${tenant}/${guardUuid('thread_id', threadId)}`;
}

export function newThreadDocument(caller: Caller, thread: NewThread): ThreadDocument {
  const now = new Date();
  const { threadId, ttl, metadata = {}, config = {}, ...given } = thread;
  return {
    _id: threadKey(caller.tenant, threadId),
    tenant: caller.tenant,
    threadId,
    status: 'idle',
    ...encodeFields(threadId, { ...given, metadata, config, interrupts: {} }),
    labels: recordLabels(caller.tenant, metadata),
    currentRun: null,
    endedRuns: [],
    ...(ttl && { ttl: expiry(ttl, now) }),
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

/** Returns the stored form of fields of a thread. Errors: `too_large`. */
export function encodeFields<T extends Partial<Thread>>(
  threadId: string,
  fields: T,
): Omit<T, JsonField> & Record<keyof T & JsonField, string> {
  const stored: Record<string, unknown> = { ...fields };
  for (const field of JSON_FIELDS) {
    if (fields[field] !== undefined) stored[field] = encodeJson(`${field} of thread ${threadId}`, fields[field]);
  }
  return stored as Omit<T, JsonField> & Record<keyof T & JsonField, string>;
}

/** Returns the fields that a copy of the thread takes over. */
export function givenFields(thread: Thread): GivenThreadFields {
  const fields = GIVEN_THREAD_FIELDS.map((field) => [field, thread[field]] as const);
  return Object.fromEntries(fields.filter(([, value]) => value !== undefined));
}

export function asThread(document: ThreadDocument): Thread {
  const fields: Record<string, unknown> = { stateUpdatedAt: document.createdAt };
  for (const [field, value] of Object.entries(document)) if (!(field in BOOKKEEPING)) fields[field] = value;
  for (const field of JSON_FIELDS) fields[field] = JSON.parse(document[field]);
  return fields as unknown as Thread;
}
