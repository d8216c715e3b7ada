import type { ClientSession, Collection, Db } from 'mongodb';
import { isDuplicateKey, isWriteConflict } from '../../database/index.js';
import { ColloquyError, NO_FENCE, type Fence, type Head, type NamespaceHead } from '../../protocol/index.js';

interface HeadDocument {
  /** `<tenant>/<thread id>` */
  _id: string;
  rev: number;
  fence: Fence;
  /** Keys are namespaces, escaped: MongoDB reads dots and dollars in keys as paths. */
  heads: Record<string, NamespaceHead>;
  /** The run that a message waits for. Kept here because every commit of that run comes by. */
  steered?: string;
}

/** A change of a thread's head; `null` forgets a namespace. */
export interface HeadChange {
  heads: Readonly<Record<string, NamespaceHead | null>>;
  /** The writer's fence; absent for writers outside of any run, who take the fence as it is. */
  fence?: Fence;
  /** The revision this change builds on; absent: whatever is there (single writer). */
  rev?: number;
}

/** Work that takes locks takes milliseconds. What takes so long may stand before the open transaction of a dead writer. */
const BLOCKED_MS = 2_000;

/** The thread heads of one database. The only room that names collection `thread_heads`. */
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
    return this.#unblocked(isBlocked, () => this.#raise(tenant, threadId, fence));
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
      // The upsert runs into the record itself when its fence is higher.
      if (isDuplicateKey(error)) throw lost(tenant, threadId, fence, error);
      throw error;
    }
  }

  /** `session.withTransaction`, and no dead writer keeps it from what it writes. */
  async transaction<T>(session: ClientSession, work: () => Promise<T>): Promise<T> {
    let conflicts = 0;
    const isBlocked = () => {
      const had = conflicts;
      conflicts = 0;
      return Promise.resolve(had > 0);
    };
    const counted = () =>
      work().catch((error: unknown) => {
        if (isWriteConflict(error)) conflicts += 1;
        throw error;
      });
    return this.#unblocked(isBlocked, () => session.withTransaction(counted));
  }

  /** A slow database is not a locked one: only who is refused for the sake of another ends that one's transaction. */
  async #unblocked<T>(isBlocked: () => Promise<boolean>, work: () => Promise<T>): Promise<T> {
    const look = async () => {
      if (await isBlocked()) await this.#endTransactions();
    };
    // The work itself waits on, and says how that ends.
    const looks = setInterval(() => void look().catch(() => undefined), BLOCKED_MS);
    try {
      return await work();
    } finally {
      clearInterval(looks);
    }
  }

  /** Whether another's transaction has written to a head: a write to it would be refused. */
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
   * A writer that died or froze in the middle of its commit leaves head and documents locked. MongoDB ends its transaction
   * after `transactionLifetimeLimitSeconds` (10 where we start it, else 60). SecantusDB looks only when somebody else begins one, which may be
   * never; nobody knows the session, so all are ended there, and whoever lives tries its transaction again.
   */
  async #endTransactions(): Promise<void> {
    const admin = this.#db.admin();
    if ('secantusVersion' in (await admin.command({ buildInfo: 1 }))) await admin.command({ killAllSessions: [] });
  }

  /**
   * Applies a change inside of a transaction. Errors: `fence_lost` when the revision is another or the fence is higher; the caller's
   * transaction must abort then. Answers the run that a message waits for.
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
      throw lost(tenant, threadId, change.fence, error);
    }
    throw lost(tenant, threadId, change.fence);
  }

  /** Has the run stop at its next superstep, to take a message. A thread whose first state is on its way hears nothing of it. */
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
  // A leading letter, as an empty key is refused.
  return `n${encodeURIComponent(ns).replaceAll('.', '%2E')}`;
}

function unescapeKey(key: string): string {
  return decodeURIComponent(key.slice(1));
}

function lost(tenant: string, threadId: string, fence: Fence | undefined, cause?: unknown): ColloquyError {
  const who = fence === undefined ? 'a writer outside of runs' : `writer ${fence}`;
  return new ColloquyError('fence_lost', `thread ${threadId} of tenant ${tenant} has moved on; ${who} must stop`, {
    cause,
  });
}
