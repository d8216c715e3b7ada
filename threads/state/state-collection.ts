import type { ClientSession, Collection, Db, Filter, MongoClient } from 'mongodb';
import { answeredWithin, inTransaction } from '../../database/index.js';
import type { HeadChange, MongoHeads } from './mongo-heads.js';
import { inPortions, mergeWrite, withEarly, type StateCommit } from './state-commit.js';
import {
  checkpointGroup,
  checkpointKey,
  chunkGroup,
  parseCheckpointKey,
  prefixRange,
  threadPrefix,
  writeGroup,
  type StateDocument,
} from './state-documents.js';

/**
 * Timeout of a commit, in ms. After this time the attempt of the step fails, and Temporal starts
 * the next attempt. The new attempt first writes its fence, which is higher, to the thread's head.
 * So the old commit is refused if it reaches the database late.
 */
const COMMIT_MS = 45_000;
/**
 * Lets MongoDB send up to 1,000 documents in the first batch of a query. The default is 101, and
 * more documents would need a second round trip.
 */
const ONE_BATCH = { batchSize: 1_000 };
const REMOVED_AT_ONCE = 500;

/** Reads the documents that store checkpoints, values and pending writes. */
export interface StateReads {
  readDocument(key: string): Promise<StateDocument | undefined>;
  /** Returns the documents in any order. Leaves out missing documents. */
  readDocuments(keys: string[]): Promise<StateDocument[]>;
  readGroup(group: string): Promise<StateDocument[]>;
  readGroups(groups: string[]): Promise<StateDocument[]>;
  /**
   * Returns the checkpoint with this key and the checkpoints of its namespace with lower ids,
   * newest first. Returns at most `count` checkpoints.
   */
  readFrom(key: string, count: number): Promise<StateDocument[]>;
  /** Returns the highest checkpoint id of a namespace, or undefined if the namespace has none. */
  highestCheckpoint(threadId: string, ns: string): Promise<string | undefined>;
}

/** Reads and writes the documents of one tenant in the collection `checkpoints`. */
export class StateCollection implements StateReads {
  readonly #client: MongoClient;
  readonly #documents: Collection<StateDocument>;

  constructor(
    { client, db }: { client: MongoClient; db: Db },
    readonly tenant: string,
    private readonly heads: MongoHeads,
  ) {
    this.#client = client;
    this.#documents = db.collection('checkpoints');
  }

  async readDocument(key: string): Promise<StateDocument | undefined> {
    return (await this.#documents.findOne({ _id: key })) ?? undefined;
  }

  async readDocuments(keys: string[]): Promise<StateDocument[]> {
    return keys.length === 0 ? [] : this.#documents.find({ _id: { $in: keys } }, ONE_BATCH).toArray();
  }

  readGroup(group: string): Promise<StateDocument[]> {
    return this.#documents.find({ group }).toArray();
  }

  readGroups(groups: string[]): Promise<StateDocument[]> {
    return this.#documents.find({ group: { $in: groups } }, ONE_BATCH).toArray();
  }

  readFrom(key: string, count: number): Promise<StateDocument[]> {
    const group = key.slice(0, key.lastIndexOf('/') + 1);
    const found = this.#documents.find({ group, _id: { $lte: key } }, ONE_BATCH);
    return found.sort({ _id: -1 }).limit(count).toArray();
  }

  async highestCheckpoint(threadId: string, ns: string): Promise<string | undefined> {
    const group = checkpointGroup(this.tenant, threadId, ns);
    const document = await this.#documents.findOne({ group }, { sort: { _id: -1 }, projection: { _id: 1 } });
    return document === null ? undefined : parseCheckpointKey(document._id).id;
  }

  async hasCheckpoint(threadId: string, ns: string, id: string): Promise<boolean> {
    const key = checkpointKey(this.tenant, threadId, ns, id);
    return (await this.#documents.findOne({ _id: key }, { projection: { _id: 1 } })) !== null;
  }

  find(filter: Filter<StateDocument>): AsyncIterable<StateDocument> {
    return this.#documents.find(filter);
  }

  /** Returns the documents sorted by key, highest key first. */
  findSorted(filter: Filter<StateDocument>): AsyncIterable<StateDocument> {
    return this.#documents.find(filter).sort({ _id: -1 });
  }

  /**
   * Returns the documents with only those fields that reference chunks (documents with parts of
   * long lists and large values).
   */
  findReferences(filter: Filter<StateDocument>): AsyncIterable<StateDocument> {
    return this.#documents.find(filter, { projection: { list: 1, parts: 1 } });
  }

  async findKeys(filter: Filter<StateDocument>): Promise<string[]> {
    const found = await this.#documents.find(filter, { projection: { _id: 1 } }).toArray();
    return found.map(({ _id }) => _id);
  }

  /**
   * Stores the documents of a commit and moves the thread's head, in one transaction. Returns the
   * id of the run for which a message was injected last, even if the run has already taken the
   * message. Returns undefined if the head has no such id. Errors: `fence_lost`.
   */
  async commit(threadId: string, commit: StateCommit): Promise<string | undefined> {
    const { early, inserts } = withEarly(commit.inserts, chunkGroup(this.tenant, threadId));
    const store = (session: ClientSession) =>
      this.heads.transaction(session, async () => {
        if (inserts.length > 0) await this.#documents.insertMany(inserts, { session });
        if (commit.merges.length > 0) await this.#documents.bulkWrite(commit.merges.map(mergeWrite), { session });
        await commit.beside?.(session);
        return this.heads.change(session, this.tenant, threadId, await commit.head());
      });
    await this.insert(early);
    return answeredWithin(COMMIT_MS, this.#client.withSession(store));
  }

  /**
   * Inserts documents before the commit that references them. Until that commit, nothing references
   * them.
   */
  async insert(documents: StateDocument[]): Promise<void> {
    for (const portion of inPortions(documents)) {
      await answeredWithin(COMMIT_MS, this.#documents.insertMany(portion, { ordered: false }));
    }
  }

  /** Moves the head without storing documents. Errors: `fence_lost`. */
  async moveHead(threadId: string, change: HeadChange): Promise<void> {
    await inTransaction(this.#client, (session) => this.heads.change(session, this.tenant, threadId, change));
  }

  async remove(keys: string[]): Promise<void> {
    for (let next = 0; next < keys.length; next += REMOVED_AT_ONCE) {
      await this.#documents.deleteMany({ _id: { $in: keys.slice(next, next + REMOVED_AT_ONCE) } });
    }
  }

  /**
   * Removes checkpoints with their pending writes. The values of the checkpoints stay until the
   * thread is pruned or deleted.
   */
  async removeCheckpoints(threadId: string, checkpoints: { ns: string; id: string }[]): Promise<void> {
    if (checkpoints.length === 0) return;
    const keys = checkpoints.map(({ ns, id }) => checkpointKey(this.tenant, threadId, ns, id));
    const groups = checkpoints.map(({ ns, id }) => writeGroup(this.tenant, threadId, ns, id));
    await this.#documents.deleteMany({ _id: { $in: keys } });
    await this.#documents.deleteMany({ group: { $in: groups } });
  }

  /**
   * Removes the state of a thread. Removes the head first, so that no reader finds a thread with
   * only a part of its documents.
   */
  async removeThread(threadId: string): Promise<void> {
    await this.heads.remove(this.tenant, threadId);
    await this.#documents.deleteMany({ group: prefixRange(threadPrefix(this.tenant, threadId)) });
  }
}
