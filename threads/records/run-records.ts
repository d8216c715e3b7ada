import type { Collection, Filter } from 'mongodb';
import {
  ColloquyError,
  originOf,
  storedRunError,
  type Caller,
  type Fence,
  type KeptError,
  type Origin,
  type MultitaskStrategy,
  type Run,
  type RunError,
  type RunRequest,
  type RunStatus,
} from '../../protocol/index.js';
import { isDuplicateKey } from '../../database/index.js';
import type { FailedAttempt, FailedRun, NewRun, RunEnd, RunQuery, RunStart, UnchangedRun } from './ports.js';
import { encodeJson, guardPage, guardUuid, notAbove, type JsonObject } from './record-fields.js';
import { threadKey } from './thread-documents.js';

export interface RunDocument {
  /** `<tenant>/<threadId>/<runId>` */
  _id: string;
  /**
   * Key of the thread, `<tenant>/<threadId>`. Most indexes of the collection begin with this field.
   */
  thread: string;
  tenant: string;
  threadId: string;
  runId: string;
  assistantId: string;
  graphId: string;
  status: RunStatus;
  multitaskStrategy: MultitaskStrategy;
  /** JSON text. */
  metadata: string;
  /** JSON text. */
  request: string;
  key?: string;
  error?: RunError;
  keptError?: KeptError;
  afterSeq?: number;
  startedAt?: Date;
  /** Fence of the newest attempt that has started the run or taken it over. */
  fence?: Fence;
  cancelReason?: string;
  admitted: boolean;
  /** Set until the run ends, so that the partial index on this field stays small. */
  active?: true;
  /** Number of failed attempts, by the name of the superstep. */
  failures: Record<string, number>;
  isSuspect?: boolean;
  /**
   * When MongoDB's TTL index removes this record. Set in two cases: the run is not admitted
   * yet (lists do not show it), or the record is of an injected message that a step has taken.
   */
  expiresAt?: Date;
  createdAt: Date;
  updatedAt: Date;
  /**
   * When the thread of the run was closed, which is the first step of deleting the thread and its
   * runs. Reads no longer find the run.
   */
  deletedAt?: Date;
  createdBy?: Origin;
}

const ORPHAN_MS = 7 * 24 * 3_600_000;
const MAX_KEY_LENGTH = 255;
/** MongoDB limits a document to 16 MB. This leaves room for the fields that a run gets at its end. */
const MAX_RECORD_BYTES = 16 * 2 ** 20 - 64 * 2 ** 10;
const SUPERSTEP = /^[\w-]{1,64}$/;
const UNENDED = { $in: ['pending', 'running'] satisfies RunStatus[] as RunStatus[] };

export function runKey(tenant: string, threadId: string, runId: string): string {
  return `${threadKey(tenant, threadId)}/${guardUuid('run_id', runId)}`;
}

/** Reads and writes the records of runs, without a check of authorization. */
export class RunRecords {
  readonly #runs: Collection<RunDocument>;

  constructor(runs: Collection<RunDocument>) {
    this.#runs = runs;
  }

  async create(caller: Caller, run: NewRun): Promise<{ run: Run; created: boolean }> {
    const document = newRunDocument(caller, run);
    try {
      await this.#runs.insertOne(document);
      return { run: asRun(document), created: true };
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      return { run: asRun(await this.#existing(document)), created: false };
    }
  }

  /**
   * Called if a new run cannot be inserted because its idempotency key or its id is already stored.
   * Returns the stored run with the same key, which may have another id. If there is none, returns
   * the run with the same id, which an earlier try of the same call may have stored. Errors:
   * `conflict` if the stored run was removed in the meantime.
   */
  async #existing({ _id, thread, key, runId }: RunDocument): Promise<RunDocument> {
    const found =
      (key === undefined ? null : await this.#runs.findOne({ thread, key })) ?? (await this.#runs.findOne({ _id }));
    if (found !== null) return found;
    throw new ColloquyError(
      'conflict',
      `run ${runId} conflicts with a run of the same key that was removed since; try again`,
    );
  }

  async admit(caller: Caller, threadId: string, runId: string): Promise<void> {
    const { matchedCount } = await this.#runs.updateOne(
      { _id: runKey(caller.tenant, threadId, runId), deletedAt: { $exists: false } },
      { $set: { admitted: true, updatedAt: new Date() }, $unset: { expiresAt: '' } },
    );
    if (matchedCount === 0) throw noRun(threadId, runId);
  }

  async discard(caller: Caller, threadId: string, runId: string): Promise<void> {
    await this.#runs.deleteOne({ _id: runKey(caller.tenant, threadId, runId), status: 'pending' });
  }

  async get(caller: Caller, threadId: string, runId: string, admittedOnly: boolean): Promise<Run> {
    const found = await this.#runs.findOne({ _id: runKey(caller.tenant, threadId, runId) });
    const hidden = found === null || found.deletedAt !== undefined || (admittedOnly && !found.admitted);
    if (hidden) throw noRun(threadId, runId);
    return asRun(found);
  }

  async list(caller: Caller, threadId: string, query: RunQuery): Promise<Run[]> {
    guardPage(query);
    const found = await this.#runs
      .find(this.#visible(caller, threadId, query.status === undefined ? {} : { status: query.status }))
      .sort({ createdAt: -1, _id: -1 })
      .skip(query.offset)
      .limit(query.limit)
      .toArray();
    return found.map(asRun);
  }

  async active(caller: Caller, threadId: string): Promise<Run[]> {
    const found = await this.#runs
      .find(this.#visible(caller, threadId, { active: true }))
      .sort({ createdAt: 1, _id: 1 })
      .toArray();
    return found.map(asRun);
  }

  /**
   * Returns the pending and running runs of all threads of the tenant. The filter is a range of the
   * indexed field `thread`, which begins with `<tenant>/`. `0` is the character after `/`.
   */
  async allActive(caller: Caller): Promise<Run[]> {
    const found = await this.#runs
      .find({ thread: { $gte: `${caller.tenant}/`, $lt: `${caller.tenant}0` }, admitted: true, active: true })
      .sort({ thread: 1, createdAt: 1 })
      .toArray();
    return found.map(asRun);
  }

  /**
   * Returns the pending and running runs that have not changed since `before`. The filter uses the
   * index of {@link allActive}. Runs of threads that are being deleted are left out.
   */
  async unchanged({ tenant }: Caller, before: Date): Promise<UnchangedRun[]> {
    return this.#runs
      .find(
        {
          thread: { $gte: `${tenant}/`, $lt: `${tenant}0` },
          admitted: true,
          active: true,
          updatedAt: { $lte: before },
          deletedAt: { $exists: false },
        },
        { projection: { _id: 0, threadId: 1, runId: 1, status: 1, updatedAt: 1 } },
      )
      .toArray();
  }

  async setCancelReason(caller: Caller, threadId: string, runId: string, reason: string): Promise<void> {
    await this.#runs.updateOne(
      { _id: runKey(caller.tenant, threadId, runId), status: UNENDED },
      { $set: { cancelReason: reason } },
    );
  }

  /** Marks a run as running. Returns false if the run has ended. */
  async start(caller: Caller, threadId: string, runId: string, { afterSeq, fence }: RunStart): Promise<boolean> {
    const key = runKey(caller.tenant, threadId, runId);
    const { matchedCount } = await this.#runs.updateOne(
      { _id: key, status: UNENDED, fence: notAbove(fence) },
      // `$min` keeps offset and time of the first attempt. A later attempt starts at a higher
      // offset, but the events of the run begin at the offset of the first attempt.
      {
        $set: { status: 'running', admitted: true, fence, updatedAt: new Date() },
        $min: { afterSeq, startedAt: new Date() },
        $unset: { expiresAt: '' },
      },
    );
    if (matchedCount > 0) return true;
    if (!(await this.#existsUnfenced(key, fence))) throw noRun(threadId, runId);
    return false;
  }

  /**
   * Marks a run as ended. Returns true if this call has ended the run, and false if the run had
   * ended before or has no record.
   */
  async end(caller: Caller, threadId: string, end: RunEnd): Promise<boolean> {
    const { runId, status, error, fence, isRolledBack = false } = end;
    const key = runKey(caller.tenant, threadId, runId);
    const { matchedCount } = await this.#runs.updateOne(
      { _id: key, status: UNENDED, fence: notAbove(fence) },
      {
        $set: { status, admitted: !isRolledBack, updatedAt: new Date(), ...(error === undefined ? {} : { error }) },
        $unset: { active: '', expiresAt: '', keptError: '' },
      },
    );
    if (matchedCount === 0) await this.#existsUnfenced(key, fence);
    return matchedCount > 0;
  }

  /**
   * Marks a run as failed if its record is still the one that `run` was read from. Every start and
   * every end of a run changes these fields. Returns false if the record has changed or is gone.
   */
  async endUnchanged(caller: Caller, { threadId, runId, status, updatedAt }: Run, error: RunError): Promise<boolean> {
    const { matchedCount } = await this.#runs.updateOne(
      { _id: runKey(caller.tenant, threadId, runId), active: true, status, updatedAt },
      {
        $set: { status: 'error', admitted: true, updatedAt: new Date(), error },
        $unset: { active: '', expiresAt: '' },
      },
    );
    return matchedCount > 0;
  }

  /**
   * Returns whether a run has a record. Called if a MongoDB update has not matched the run, to find
   * out why. Errors: `fence_lost` if the run has not ended, and an attempt with a higher fence has
   * started it or taken it over.
   */
  async #existsUnfenced(key: string, fence: Fence): Promise<boolean> {
    const found = await this.#runs.findOne({ _id: key }, { projection: { status: 1, fence: 1 } });
    if (found?.fence !== undefined && found.fence > fence && UNENDED.$in.includes(found.status))
      throw new ColloquyError(
        'fence_lost',
        `run ${key} was taken over with fence ${found.fence}; the attempt with fence ${fence} must stop`,
      );
    return found !== null;
  }

  async countFailure(
    caller: Caller,
    threadId: string,
    runId: string,
    { superstep, fence }: FailedAttempt,
  ): Promise<number> {
    if (!SUPERSTEP.test(superstep)) {
      const message = `superstep is ${JSON.stringify(superstep)}; expected ${String(SUPERSTEP)}`;
      throw new ColloquyError('invalid_argument', message, { field: 'superstep' });
    }
    const key = runKey(caller.tenant, threadId, runId);
    const counted = await this.#runs.findOneAndUpdate(
      { _id: key, fence: notAbove(fence) },
      { $inc: { [`failures.${superstep}`]: 1 } },
      { returnDocument: 'after', projection: { failures: 1 } },
    );
    if (counted !== null) return counted.failures[superstep] ?? 0;
    if (!(await this.#existsUnfenced(key, fence))) throw noRun(threadId, runId);
    // An attempt with a higher fence has taken the run over, and the run has ended. So this failure
    // does not need to be counted.
    return 1;
  }

  async markSuspect(caller: Caller, threadId: string, runId: string, fence: Fence): Promise<void> {
    const key = runKey(caller.tenant, threadId, runId);
    await this.#runs.updateOne({ _id: key, fence: notAbove(fence) }, { $set: { isSuspect: true } });
  }

  async keepError(caller: Caller, threadId: string, runId: string, { error, shown, fence }: FailedRun): Promise<void> {
    const key = runKey(caller.tenant, threadId, runId);
    const keptError = { error: storedRunError(error), shown };
    const bytes = Buffer.byteLength(JSON.stringify(keptError));
    const { matchedCount } = await this.#runs.updateOne(
      {
        ...{ _id: key, status: UNENDED, fence: notAbove(fence) },
        $expr: { $lte: [{ $bsonSize: '$$ROOT' }, MAX_RECORD_BYTES - bytes] },
      },
      { $set: { keptError } },
    );
    if (matchedCount === 0 && !(await this.#existsUnfenced(key, fence))) throw noRun(threadId, runId);
  }

  async remove(caller: Caller, threadId: string, runId: string): Promise<void> {
    await this.#runs.deleteOne({ _id: runKey(caller.tenant, threadId, runId) });
  }

  async closeThread(caller: Caller, threadId: string): Promise<void> {
    await this.#runs.updateMany({ thread: threadKey(caller.tenant, threadId) }, { $set: { deletedAt: new Date() } });
  }

  async removeThread(caller: Caller, threadId: string): Promise<void> {
    await this.#runs.deleteMany({ thread: threadKey(caller.tenant, threadId) });
  }

  /**
   * Returns a MongoDB filter for admitted runs of a thread. The field `thread`, which has an index,
   * comes first: some databases with MongoDB's protocol use the index of the first indexed field.
   */
  #visible(caller: Caller, threadId: string, condition: Filter<RunDocument>): Filter<RunDocument> {
    return { thread: threadKey(caller.tenant, threadId), admitted: true, ...condition };
  }
}

function newRunDocument(caller: Caller, run: NewRun): RunDocument {
  const now = new Date();
  const threadId = guardUuid('thread_id', run.threadId);
  const runId = guardUuid('run_id', run.runId);
  if (run.key !== undefined && (run.key.length === 0 || run.key.length > MAX_KEY_LENGTH)) {
    const problem = `idempotency key has ${run.key.length} characters; expected 1 to ${MAX_KEY_LENGTH}`;
    throw new ColloquyError('invalid_argument', problem, { field: 'key' });
  }
  return {
    _id: runKey(caller.tenant, threadId, runId),
    thread: threadKey(caller.tenant, threadId),
    tenant: caller.tenant,
    threadId,
    runId,
    assistantId: run.assistantId,
    graphId: run.graphId,
    status: 'pending',
    multitaskStrategy: run.multitaskStrategy,
    metadata: encodeJson(`metadata of run ${runId}`, run.metadata),
    request: encodeJson(`request of run ${runId}`, run.request),
    ...(run.key === undefined ? {} : { key: run.key }),
    admitted: false,
    active: true,
    failures: {},
    // An injected message may wait for days, so its record does not expire yet. It expires after a
    // step has taken the message, or is removed together with its thread.
    ...(!run.waitsForTurn && {
      expiresAt: new Date(now.getTime() + (run.request.afterSeconds ?? 0) * 1000 + ORPHAN_MS),
    }),
    createdBy: originOf(caller),
    createdAt: now,
    updatedAt: now,
  };
}

function noRun(threadId: string, runId: string): ColloquyError {
  return new ColloquyError('not_found', `run ${runId} of thread ${threadId} does not exist`);
}

function asRun(document: RunDocument): Run {
  const { tenant, threadId, runId, assistantId, graphId, status, multitaskStrategy, key, error, afterSeq } = document;
  const { keptError } = document;
  return {
    tenant,
    threadId,
    runId,
    assistantId,
    graphId,
    status,
    multitaskStrategy,
    metadata: JSON.parse(document.metadata) as JsonObject,
    request: JSON.parse(document.request) as RunRequest,
    ...(document.createdBy === undefined ? {} : { createdBy: document.createdBy }),
    ...(key === undefined ? {} : { key }),
    ...(error === undefined ? {} : { error }),
    ...(document.isSuspect && { isSuspect: true }),
    ...(keptError === undefined ? {} : { keptError }),
    ...(afterSeq === undefined ? {} : { afterSeq }),
    ...(document.startedAt === undefined ? {} : { startedAt: document.startedAt }),
    ...(document.cancelReason === undefined ? {} : { cancelReason: document.cancelReason }),
    createdAt: document.createdAt,
    updatedAt: document.updatedAt,
  };
}
