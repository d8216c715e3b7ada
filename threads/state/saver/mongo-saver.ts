import type { RunnableConfig } from '@langchain/core/runnables';
import {
  BaseCheckpointSaver,
  WRITES_IDX_MAP,
  TASKS,
  copyCheckpoint,
  maxChannelVersion,
  type ChannelVersions,
  type Checkpoint,
  type CheckpointListOptions,
  type CheckpointMetadata,
  type CheckpointTuple,
  type DeltaChannelHistory,
  type PendingWrite,
} from '@langchain/langgraph-checkpoint';
import type { ClientSession, Collection, Db, MongoClient } from 'mongodb';
import { ColloquyError, type Head } from '../../../protocol/index.js';
import { ChannelValues, type Held } from '../values/channel-values.js';
import { checkpointSearch } from './checkpoint-search.js';
import { readDeltaHistory } from './delta-history.js';
import { MongoHeads, type HeadChange } from '../mongo-heads.js';
import { KeyedQueue } from './keyed-queue.js';
import type { Leaf } from '../values/long-list.js';
import { answeredWithin, isDuplicateKey } from '../../../database/index.js';
import { inPortions, mergeWrite, withEarly, type StateCommit } from '../state-commit.js';
import {
  bytes,
  checkpointGroup,
  chunkGroup,
  checkpointKey,
  parseCheckpointKey,
  prefixRange,
  threadPrefix,
  writeGroup,
  writeKey,
  type StateDocument,
} from '../state-documents.js';
import { StateSerializer } from '../values/state-serializer.js';
import type { ValueTexts } from '../values/value-texts.js';
import { StateValues } from '../values/state-values.js';

/** A commit that takes longer is given up: the step is tried again, and its fence shuts a late one out. */
const COMMIT_MS = 45_000;
/** The driver asks for 101 documents, then for the rest. */
const AT_ONCE = { batchSize: 1_000 };

export interface SaverOptions {
  client: MongoClient;
  db: Db;
  tenant: string;
  /** For one edit of one thread: a put fails with `fence_lost` when somebody else has moved the head since this saver first read it. */
  exclusive?: boolean;
}

/**
 * LangGraph's checkpoint saver on MongoDB, bound to a tenant. Channel values are stored once per version, and a long list in chunks that its
 * versions share, so a step costs what it changed.
 * A checkpoint and the move of the thread's head are one transaction: nothing is ever half written, and "newest" is what the head says.
 * Versions carry a random part, as two branches of a thread may both make version 5.
 */
export class MongoSaver extends BaseCheckpointSaver<string> {
  readonly tenant: string;
  protected readonly heads: MongoHeads;
  protected readonly channels: ChannelValues;
  readonly #values: StateValues;
  readonly #client: MongoClient;
  readonly #documents: Collection<StateDocument>;
  readonly #exclusive: boolean;
  readonly #serializer: StateSerializer;
  #rev: number | undefined;
  readonly #commits = new KeyedQueue();

  constructor(options: SaverOptions) {
    const serializer = new StateSerializer();
    super(serializer);
    this.tenant = options.tenant;
    this.#serializer = serializer;
    this.#values = new StateValues(options.tenant, serializer, {
      read: (keys) => this.readDocuments(keys),
      take: (key) => this.takeLeaf(key),
    });
    this.channels = new ChannelValues(options.tenant, this.#values, (keys) => this.readDocuments(keys));
    this.heads = new MongoHeads(options.db);
    this.#client = options.client;
    this.#exclusive = options.exclusive ?? false;
    this.#documents = options.db.collection('checkpoints');
  }

  override getNextVersion(current: string | number | undefined): string {
    const number = current === undefined ? 0 : Number.parseInt(String(current), 10);
    const random = Math.floor(Math.random() * 2 ** 48);
    return `${String(number + 1).padStart(12, '0')}.${random.toString(16).padStart(12, '0')}`;
  }

  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    if (config.configurable?.thread_id === undefined) return undefined; // LangGraph's contract for a config that addresses nothing
    const { threadId, ns, checkpointId } = this.address(config);
    if (checkpointId !== undefined) await this.#expectedRev(threadId);
    const id = checkpointId ?? (await this.newest(threadId, ns));
    if (id === undefined) return undefined;
    const key = checkpointKey(this.tenant, threadId, ns, id);
    const [document, writes] = await Promise.all([
      this.readDocument(key),
      this.readGroup(writeGroup(this.tenant, threadId, ns, id)),
    ]);
    return document === undefined ? undefined : this.#tuple(document, writes, config, this.sharesChunks);
  }

  async hasCheckpoint(threadId: string, ns: string, checkpointId: string): Promise<boolean> {
    const key = checkpointKey(this.tenant, threadId, ns, checkpointId);
    return (await this.#documents.findOne({ _id: key }, { projection: { _id: 1 } })) !== null;
  }

  /** What `DeltaChannel`s are put together from. Errors: none; a checkpoint that is not there has no history. */
  override async getDeltaChannelHistory(options: {
    config: RunnableConfig;
    channels: string[];
  }): Promise<Record<string, DeltaChannelHistory>> {
    const { threadId, ns, checkpointId } = this.address(options.config);
    const id = checkpointId ?? (await this.newest(threadId, ns));
    const start = id === undefined ? undefined : await this.readDocument(checkpointKey(this.tenant, threadId, ns, id));
    if (start === undefined) return Object.fromEntries(options.channels.map((channel) => [channel, { writes: [] }]));
    const source = {
      tenant: this.tenant,
      serializer: this.#serializer,
      values: this.#values,
      readFrom: (key: string, count: number) => this.readFrom(key, count),
      readDocuments: (keys: string[]) => this.readDocuments(keys),
      readGroups: (groups: string[]) => this.readGroups(groups),
    };
    return readDeltaHistory(source, start, options.channels);
  }

  override async *list(config: RunnableConfig, options: CheckpointListOptions = {}): AsyncGenerator<CheckpointTuple> {
    const search = checkpointSearch(this.tenant, config, options);
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    for await (const document of this.#documents.find(search.filter).sort({ _id: -1 })) {
      if (left <= 0) return;
      const at = parseCheckpointKey(document._id);
      if (!search.isWithin(at) || !search.hasWanted(await this.metadataOf(document))) continue;
      const writes = await this.readGroup(writeGroup(this.tenant, at.threadId, at.ns, at.id));
      left -= 1;
      yield await this.#tuple(document, writes, { configurable: { thread_id: at.threadId, checkpoint_ns: at.ns } });
    }
  }

  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    const { threadId, ns } = this.address(config);
    const { documents, held } = this.encodeCheckpoint(config, checkpoint, metadata, newVersions);
    const heads = { [ns]: { checkpointId: checkpoint.id, run: 0, step: metadata.step ?? 0, base: 0, tail: 0 } };
    await this.#queued(threadId, async (head) => {
      try {
        await this.commit(threadId, { inserts: documents, merges: [], head: head(heads) });
        this.channels.committed(held);
      } catch (error) {
        // What was not stored is nothing to build on.
        this.channels.release();
        // Only a caller who numbers versions or repeats ids himself meets what is there already.
        if (!isDuplicateKey(error)) throw error;
        await this.commit(threadId, { inserts: [], merges: documents, head: head(heads) });
      }
    });
    return { configurable: { thread_id: threadId, checkpoint_ns: ns, checkpoint_id: checkpoint.id } };
  }

  override async putWrites(
    config: RunnableConfig,
    writes: PendingWrite[],
    taskId: string,
    taskPath = '',
  ): Promise<void> {
    const { threadId } = this.address(config);
    const { documents: merges, chunks: inserts } = this.encodeWrites(config, writes, taskId, taskPath);
    await this.#queued(threadId, (head) => this.commit(threadId, { inserts, merges, head: head({}) }));
  }

  override async deleteThread(threadId: string): Promise<void> {
    this.channels.release();
    await this.heads.remove(this.tenant, threadId);
    await this.#documents.deleteMany({ group: prefixRange(threadPrefix(this.tenant, threadId)) });
  }

  /** Removes checkpoints by namespace and id, with their pending writes (rollback). Values stay until the thread goes. */
  async deleteCheckpoints(threadId: string, checkpoints: { ns: string; id: string }[]): Promise<void> {
    const keys = checkpoints.map(({ ns, id }) => checkpointKey(this.tenant, threadId, ns, id));
    const groups = checkpoints.map(({ ns, id }) => writeGroup(this.tenant, threadId, ns, id));
    if (keys.length === 0) return;
    await this.#documents.deleteMany({ _id: { $in: keys } });
    await this.#documents.deleteMany({ group: { $in: groups } });
  }

  /** Key of the committed document that holds a large live channel value, told by identity; undefined: it is held by none, or not known to be. */
  blobOf(value: object): string | undefined {
    return this.channels.heldBy(value);
  }

  /** The channel value that {@link blobOf} gave the key of, written down. Errors: `not_found`. */
  valueText(threadId: string, key: string, texts: ValueTexts): Promise<string> {
    return this.channels.text(threadId, key, texts);
  }

  /** Whether a new version of a list may name chunks of the last one: only where a commit fails when somebody could have removed them. */
  protected get sharesChunks(): boolean {
    return this.#exclusive;
  }

  /** A leaf of a list that is kept decoded. */
  protected takeLeaf(_key: string): Leaf | undefined {
    return undefined;
  }

  readHead(threadId: string): Promise<Head> {
    return this.heads.readHead(this.tenant, threadId);
  }

  /** LangGraph does not wait for one commit of a thread before the next; at once, they would be refused for each other's sake. */
  #queued(
    threadId: string,
    commit: (head: (heads: HeadChange['heads']) => StateCommit['head']) => Promise<unknown>,
  ): Promise<void> {
    return this.#commits.run(threadId, async () => {
      const rev = await this.#expectedRev(threadId);
      await commit((heads) => () => Promise.resolve({ heads, ...(rev !== undefined && { rev }) }));
      if (rev !== undefined) this.#rev = rev + 1;
    });
  }

  async #expectedRev(threadId: string): Promise<number | undefined> {
    if (!this.#exclusive) return undefined;
    this.#rev ??= (await this.readHead(threadId)).rev;
    return this.#rev;
  }

  /** Newest checkpoint of a namespace: the head, or for one that no head is kept of (a finished subgraph) the highest id. */
  protected async newest(threadId: string, ns: string): Promise<string | undefined> {
    const { rev, heads } = await this.readHead(threadId);
    this.#rev ??= rev;
    return heads[ns]?.checkpointId ?? this.highest(threadId, ns);
  }

  protected async highest(threadId: string, ns: string): Promise<string | undefined> {
    const group = checkpointGroup(this.tenant, threadId, ns);
    const document = await this.#documents.findOne({ group }, { sort: { _id: -1 }, projection: { _id: 1 } });
    return document === null ? undefined : parseCheckpointKey(document._id).id;
  }

  protected address(config: RunnableConfig): { threadId: string; ns: string; checkpointId?: string } {
    const {
      thread_id: threadId,
      checkpoint_ns: ns = '',
      checkpoint_id: id,
    }: Record<string, unknown> = config.configurable ?? {};
    if (typeof threadId !== 'string' || threadId === '') {
      throw invalid('thread_id', `is ${JSON.stringify(threadId)}; expected a string`);
    }
    if (typeof ns !== 'string') throw invalid('checkpoint_ns', `is ${JSON.stringify(ns)}; expected a string`);
    if (id === undefined || id === null || id === '') return { threadId, ns };
    if (typeof id !== 'string') throw invalid('checkpoint_id', `is ${JSON.stringify(id)}; expected a string`);
    return { threadId, ns, checkpointId: id };
  }

  /** Encoded when it returns: a graph may change its values right after. */
  protected encodeCheckpoint(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
    labels?: Record<string, unknown>,
  ): { documents: StateDocument[]; held: Held } {
    const { threadId, ns, checkpointId: parent } = this.address(config);
    const { channel_values: values, ...rest } = copyCheckpoint(checkpoint);
    const place = { threadId, ns, isTracked: this.sharesChunks };
    const { documents, held } = this.channels.encode(place, values, newVersions);
    const document: StateDocument = {
      _id: checkpointKey(this.tenant, threadId, ns, checkpoint.id),
      group: checkpointGroup(this.tenant, threadId, ns),
      ...this.#serializer.dumps(rest),
      metadata: new TextDecoder().decode(this.#serializer.dumps(metadata).data),
      ...(labels !== undefined && { labels: JSON.stringify(labels) }),
      ...(parent !== undefined && { parent }),
    };
    return { documents: [document, ...documents], held };
  }

  /** What the history shows and is searched by. */
  protected async metadataOf(document: StateDocument): Promise<CheckpointMetadata> {
    const labels = JSON.parse(document.labels ?? '{}') as object;
    const metadata = (await this.serde.loadsTyped('json', document.metadata ?? '{}')) as CheckpointMetadata;
    return { ...labels, ...metadata };
  }

  /** Encoded when it returns. */
  protected encodeWrites(
    config: RunnableConfig,
    writes: PendingWrite[],
    taskId: string,
    path: string,
  ): { documents: StateDocument[]; chunks: StateDocument[] } {
    const { threadId, ns, checkpointId } = this.address(config);
    if (checkpointId === undefined) {
      throw invalid('checkpoint_id', `is missing; cannot store writes of task ${taskId}`);
    }
    const group = writeGroup(this.tenant, threadId, ns, checkpointId);
    const encoded = writes.map(([channel, value], position) => {
      const index = WRITES_IDX_MAP[channel] ?? position;
      const { fields, chunks } = this.#values.encode(threadId, value);
      const write = { taskId, path, index, channel };
      return { document: { _id: writeKey(group, taskId, index), group, ...fields, write }, chunks };
    });
    return {
      documents: encoded.map(({ document }) => document),
      chunks: encoded.flatMap(({ chunks }) => chunks),
    };
  }

  /** Stores documents and moves the head, or does nothing. Answers the run that a message waits for. Errors: `fence_lost`. */
  protected async commit(threadId: string, commit: StateCommit): Promise<string | undefined> {
    const { early, inserts } = withEarly(commit.inserts, chunkGroup(this.tenant, threadId));
    const store = (session: ClientSession) =>
      this.heads.transaction(session, async () => {
        if (inserts.length > 0) await this.#documents.insertMany(inserts, { session });
        if (commit.merges.length > 0) await this.#documents.bulkWrite(commit.merges.map(mergeWrite), { session });
        await commit.beside?.(session);
        return this.heads.change(session, this.tenant, threadId, await commit.head());
      });
    await this.store(early);
    return answeredWithin(COMMIT_MS, this.#client.withSession(store));
  }

  /** Stores what nothing names yet. */
  protected async store(documents: StateDocument[]): Promise<void> {
    for (const together of inPortions(documents)) {
      await answeredWithin(COMMIT_MS, this.#documents.insertMany(together, { ordered: false }));
    }
  }

  protected async readDocument(key: string): Promise<StateDocument | undefined> {
    return (await this.#documents.findOne({ _id: key })) ?? undefined;
  }

  protected async readDocuments(keys: string[]): Promise<StateDocument[]> {
    return keys.length === 0 ? [] : this.#documents.find({ _id: { $in: keys } }, AT_ONCE).toArray();
  }

  protected readGroup(group: string): Promise<StateDocument[]> {
    return this.#documents.find({ group }).toArray();
  }

  protected readGroups(groups: string[]): Promise<StateDocument[]> {
    return this.#documents.find({ group: { $in: groups } }, AT_ONCE).toArray();
  }

  /** A checkpoint, and those of its namespace with a lower id. */
  protected readFrom(key: string, count: number): Promise<StateDocument[]> {
    const group = key.slice(0, key.lastIndexOf('/') + 1);
    const pages = this.#documents.find({ group, _id: { $lte: key } }, AT_ONCE);
    return pages.sort({ _id: -1 }).limit(count).toArray();
  }

  async #tuple(
    document: StateDocument,
    writes: StateDocument[],
    config: RunnableConfig,
    isTracked = false,
  ): Promise<CheckpointTuple> {
    const { threadId, ns, id } = parseCheckpointKey(document._id);
    const rest = (await this.serde.loadsTyped(document.type, bytes(document))) as Omit<Checkpoint, 'channel_values'>;
    const values = await this.channels.decode({ threadId, ns, isTracked }, rest.channel_versions);
    const configurable = { ...config.configurable, thread_id: threadId, checkpoint_ns: ns };
    const checkpoint: Checkpoint = { ...rest, channel_values: values };
    if (checkpoint.v < 4 && document.parent !== undefined)
      await this.#migrateSends(checkpoint, threadId, ns, document.parent);
    return {
      config: { configurable: { ...configurable, checkpoint_id: id } },
      checkpoint,
      metadata: await this.metadataOf(document),
      pendingWrites: await this.#values.decodeWrites(threadId, writes),
      ...(document.parent !== undefined && {
        parentConfig: { configurable: { thread_id: threadId, checkpoint_ns: ns, checkpoint_id: document.parent } },
      }),
    };
  }

  /** Checkpoints before format 4 kept `Send`s as writes of their parent; now they are a channel. */
  async #migrateSends(checkpoint: Checkpoint, threadId: string, ns: string, parent: string): Promise<void> {
    const writes = await this.#values.decodeWrites(
      threadId,
      await this.readGroup(writeGroup(this.tenant, threadId, ns, parent)),
    );
    const versions = Object.values(checkpoint.channel_versions);
    checkpoint.channel_values[TASKS] = writes.filter(([, channel]) => channel === TASKS).map(([, , value]) => value);
    checkpoint.channel_versions[TASKS] =
      versions.length > 0 ? maxChannelVersion(...versions) : this.getNextVersion(undefined);
  }
}

function invalid(name: string, what: string): ColloquyError {
  const field = `configurable.${name}`;
  return new ColloquyError('invalid_argument', `${field} ${what}`, { field });
}
