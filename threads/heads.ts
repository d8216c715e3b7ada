import type { ClientSession, Collection, Db } from 'mongodb';
import { ColloquyError, NO_FENCE, type Fence, type Head, type NamespaceHead } from '../protocol/index.js';
import type { HeadStore } from './ports.js';

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

/** A fence is raised, and state committed, in milliseconds. What takes so long may stand before the open transaction of a dead writer. */
const BLOCKED_MS = 2_000;

/** The thread heads of one database. The only room that names collection `thread_heads`. */
export class MongoHeads implements HeadStore {
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
    return this.unblocked(() => this.#raise(tenant, threadId, fence));
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
      if ((error as { code?: unknown }).code === 11000) throw lost(tenant, threadId, fence, error);
      throw error;
    }
  }

  /** Does work that takes locks, and sees to it that no dead writer keeps it from them. */
  async unblocked<T>(work: () => Promise<T>): Promise<T> {
    const blocked = setTimeout(() => void this.#endTransactions(), BLOCKED_MS);
    try {
      return await work();
    } finally {
      clearTimeout(blocked);
    }
  }

  /**
   * A writer that died or froze in the middle of its commit leaves head and documents locked. MongoDB ends its transaction
   * after `transactionLifetimeLimitSeconds` (10 where we start it, else 60). SecantusDB looks only when somebody else begins one, which may be
   * never; nobody knows the session, so all are ended there, and whoever lives tries its transaction again.
   */
  async #endTransactions(): Promise<void> {
    const admin = this.#db.admin();
    const isSecantus = async () => 'secantusVersion' in (await admin.command({ buildInfo: 1 }));
    await isSecantus()
      .then((is) => (is ? admin.command({ killAllSessions: [] }) : undefined))
      .catch(() => undefined); // the raise itself waits on, and says how that ends
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
      if ((error as { code?: unknown }).code !== 11000) throw error;
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
