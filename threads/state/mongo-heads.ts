import { clearInterval, setInterval } from 'node:timers';
import type { ClientSession, Collection, Db } from 'mongodb';
import { isDuplicateKey, isWriteConflict } from '../../database/index.js';
import { ColloquyError, NO_FENCE, type Fence, type Head, type NamespaceHead } from '../../protocol/index.js';

interface HeadDocument {
  /** `<tenant>/<thread id>` */
  _id: string;
  rev: number;
  fence: Fence;
  /**
   * The head of each checkpoint namespace. The keys are escaped namespaces, because dots and
   * dollars in a key have a special meaning in MongoDB.
   */
  heads: Record<string, NamespaceHead>;
  /**
   * Id of the run that was last told about an injected message ({@link MongoHeads.steer}). It stays
   * set after a step has taken the message. It is stored in this document, because each commit of
   * the run updates the document and returns this field. So the run learns of the message without
   * another query.
   */
  steered?: string;
}

/**
 * A change of a thread's head. `heads` has the new head (newest checkpoint) of each changed
 * checkpoint namespace, or `null` to remove the head of that namespace.
 */
export interface HeadChange {
  heads: Readonly<Record<string, NamespaceHead | null>>;
  /**
   * The fence of the writer. The head's document also stores a fence. If that fence is higher, the
   * change is refused. Absent for a writer outside of a run: its change does not check the fence.
   */
  fence?: Fence;
  /**
   * The revision that the head must have for the change to apply. If absent, the head may have any
   * revision.
   */
  rev?: number;
}

/**
 * While database work is not finished, {@link MongoHeads} checks at this interval, in ms, whether
 * the work is blocked. The work normally takes a few milliseconds. If it takes longer, the open
 * transaction of a dead writer may hold a lock.
 */
const BLOCKED_MS = 2_000;

/** The heads of all threads of a database. No other code uses the collection `thread_heads`. */
export class MongoHeads {
  readonly #db: Db;
  readonly #collection: Collection<HeadDocument>;

  constructor(db: Db) {
    this.#db = db;
    this.#collection = db.collection('thread_heads');
  }

  async readHead(tenant: string, threadId: string): Promise<Head> {
    const document = await this.#collection.findOne({ _id: headKey(tenant, threadId) });
    return document === null ? { rev: 0, fence: NO_FENCE, heads: {} } : fromDocument(document);
  }

  async raiseFence(tenant: string, threadId: string, fence: Fence): Promise<Head> {
    const isBlocked = () => this.#isLocked(headKey(tenant, threadId));
    return this.#withUnblocking(isBlocked, () => this.#raise(tenant, threadId, fence));
  }

  async #raise(tenant: string, threadId: string, fence: Fence): Promise<Head> {
    try {
      const document = await this.#collection.findOneAndUpdate(
        { _id: headKey(tenant, threadId), fence: { $lte: fence } },
        { $set: { fence }, $inc: { rev: 1 }, $setOnInsert: { heads: {} } },
        { upsert: true, returnDocument: 'after' },
      );
      return document === null ? await this.readHead(tenant, threadId) : fromDocument(document);
    } catch (error) {
      // If the stored fence is higher, the filter does not match, and the upsert fails on the
      // existing key.
      if (isDuplicateKey(error)) throw fenceLost(tenant, threadId, fence, error);
      throw error;
    }
  }

  /**
   * Runs work in a transaction, like `session.withTransaction`. If write conflicts keep blocking
   * the work, a writer may have died in its transaction. On SecantusDB, this method then ends the
   * open transactions; MongoDB does so by itself.
   */
  async transaction<T>(session: ClientSession, work: () => Promise<T>): Promise<T> {
    let conflicts = 0;
    const isBlocked = () => {
      const recent = conflicts;
      conflicts = 0;
      return Promise.resolve(recent > 0);
    };
    const countConflicts = () =>
      work().catch((error: unknown) => {
        if (isWriteConflict(error)) conflicts += 1;
        throw error;
      });
    return this.#withUnblocking(isBlocked, () => session.withTransaction(countConflicts));
  }

  /**
   * Runs database work, and ends other transactions if they block the work. `isBlocked` must return
   * true only for a real write conflict, because a slow database is no reason to end transactions.
   */
  async #withUnblocking<T>(isBlocked: () => Promise<boolean>, work: () => Promise<T>): Promise<T> {
    const check = async () => {
      if (await isBlocked()) await this.#endTransactions();
    };
    // Errors of a check are ignored, because the work itself reports whether it has failed.
    const timer = setInterval(() => void check().catch(() => undefined), BLOCKED_MS);
    try {
      return await work();
    } finally {
      clearInterval(timer);
    }
  }

  /**
   * Returns whether another open transaction has locked a head. To find out, writes to the head in
   * a transaction that is aborted afterwards.
   */
  async #isLocked(_id: string): Promise<boolean> {
    return this.#db.client.withSession(async (session) => {
      session.startTransaction();
      try {
        await this.#collection.updateOne({ _id }, { $inc: { rev: 1 } }, { session });
        return false;
      } catch (error) {
        return isWriteConflict(error);
      } finally {
        await session.abortTransaction();
      }
    });
  }

  /**
   * Ends the transaction of a writer that died during its commit and left documents locked. Does
   * nothing on MongoDB, which ends such a transaction itself after
   * `transactionLifetimeLimitSeconds` (10 in the embedded server, by default 60). SecantusDB,
   * another database with MongoDB's protocol, ends it only when another transaction begins, which
   * may never happen. So on SecantusDB, this method ends all sessions, because the session of the
   * dead writer is unknown. Living writers then retry.
   */
  async #endTransactions(): Promise<void> {
    const admin = this.#db.admin();
    if ('secantusVersion' in (await admin.command({ buildInfo: 1 }))) await admin.command({ killAllSessions: [] });
  }

  /**
   * Changes the head of a thread in the transaction of `session`. Returns the id of the run that
   * was last told about an injected message ({@link steer}), or undefined if there was none.
   * Errors: `fence_lost` if the head does not have the revision that `change` requires, or has a
   * higher fence. After an error, the caller must abort the transaction.
   */
  async change(
    session: ClientSession,
    tenant: string,
    threadId: string,
    change: HeadChange,
  ): Promise<string | undefined> {
    const _id = headKey(tenant, threadId);
    const set: Record<string, unknown> = change.fence === undefined ? {} : { fence: change.fence };
    const unset: Record<string, true> = {};
    for (const [ns, head] of Object.entries(change.heads)) {
      if (head === null) unset[`heads.${escapeKey(ns)}`] = true;
      else set[`heads.${escapeKey(ns)}`] = head;
    }
    const update = {
      $inc: { rev: 1 },
      ...(Object.keys(set).length > 0 && { $set: set }),
      ...(Object.keys(unset).length > 0 && { $unset: unset }),
      ...(change.fence === undefined && { $setOnInsert: { fence: NO_FENCE } }),
    };
    const filter = {
      _id,
      ...(change.rev !== undefined && change.rev > 0 && { rev: change.rev }),
      ...(change.fence !== undefined && { fence: { $lte: change.fence } }),
    };
    const upsert = change.rev === undefined || change.rev === 0;
    if (change.rev === 0) Object.assign(filter, { rev: 0 });
    try {
      const options = { session, upsert, returnDocument: 'after', projection: { steered: 1 } } as const;
      const changed = await this.#collection.findOneAndUpdate(filter, update, options);
      if (changed !== null) return changed.steered;
    } catch (error) {
      if (!isDuplicateKey(error)) throw error;
      throw fenceLost(tenant, threadId, change.fence, error);
    }
    throw fenceLost(tenant, threadId, change.fence);
  }

  /**
   * Tells the current run that an injected message waits. The run ends its current step after the
   * next superstep, and its next step takes the message. Has no effect if the thread has no head
   * yet.
   */
  async steer(tenant: string, threadId: string, runId: string): Promise<void> {
    await this.#collection.updateOne({ _id: headKey(tenant, threadId) }, { $set: { steered: runId } });
  }

  async remove(tenant: string, threadId: string): Promise<void> {
    await this.#collection.deleteOne({ _id: headKey(tenant, threadId) });
  }
}

function headKey(tenant: string, threadId: string): string {
  return `${tenant}/${threadId}`;
}

function fromDocument(document: HeadDocument): Head {
  const heads = Object.entries(document.heads ?? {}).map(([key, head]) => [unescapeKey(key), head] as const);
  return { rev: document.rev, fence: document.fence, heads: Object.fromEntries(heads) };
}

function escapeKey(ns: string): string {
  // The root namespace is empty, but MongoDB refuses an empty key. So each key begins with a
  // letter.
  return `n${encodeURIComponent(ns).replaceAll('.', '%2E')}`;
}

function unescapeKey(key: string): string {
  return decodeURIComponent(key.slice(1));
}

function fenceLost(tenant: string, threadId: string, fence: Fence | undefined, cause?: unknown): ColloquyError {
  const writer = fence === undefined ? 'the writer outside of runs' : `the writer with fence ${fence}`;
  return new ColloquyError(
    'fence_lost',
    `the head of thread ${threadId} of tenant ${tenant} was changed by another writer; ${writer} must stop`,
    {
      cause,
    },
  );
}
