import type { RunnableConfig } from '@langchain/core/runnables';
import {
  BaseCheckpointSaver,
  WRITES_IDX_MAP,
  TASKS,
  compareWritesSortKeys,
  copyCheckpoint,
  maxChannelVersion,
  writesSortKey,
  type ChannelVersions,
  type Checkpoint,
  type CheckpointListOptions,
  type CheckpointMetadata,
  type CheckpointPendingWrite,
  type CheckpointTuple,
  type PendingWrite,
} from '@langchain/langgraph-checkpoint';
import type { ClientSession, Collection, Db, MongoClient } from 'mongodb';
import { ColloquyError, type Head } from '../protocol/index.js';
import { MongoHeads, type HeadChange } from './heads.js';
import { answeredWithin } from './mongo-errors.js';
import {
  blobGroup,
  blobKey,
  checkpointGroup,
  checkpointKey,
  parseCheckpointKey,
  prefixRange,
  threadPrefix,
  writeGroup,
  writeKey,
  type StateDocument,
} from './state-documents.js';

/** Serialized channel without a value at that version. */
export const EMPTY = 'empty';

/** A commit that takes longer is given up: the step is tried again, and its fence shuts a late one out. */
const COMMIT_MS = 45_000;

export interface SaverOptions {
  client: MongoClient;
  db: Db;
  tenant: string;
  /** For one edit of one thread: a put fails with `fence_lost` when somebody else has moved the head since this saver first read it. */
  exclusive?: boolean;
}

/** Documents to store and how heads move, in one transaction. */
export interface StateCommit {
  /** Fresh keys: inserted. */
  inserts: StateDocument[];
  /** Keys that may be there: special writes and checkpoints are replaced, regular writes and values kept. */
  merges: StateDocument[];
  /** Writes elsewhere that belong to the state. */
  beside?: (session: ClientSession) => Promise<void>;
  /** Asked for right before the commit, when everything else is stored. */
  head: () => Promise<HeadChange>;
}

/**
 * LangGraph's checkpoint saver on MongoDB, bound to a tenant. Channel values are stored once per version, so a step costs what it changed.
 * A checkpoint and the move of the thread's head are one transaction: nothing is ever half written, and "newest" is what the head says.
 * Versions carry a random part, as two branches of a thread may both make version 5.
 */
export class MongoSaver extends BaseCheckpointSaver<string> {
  readonly tenant: string;
  protected readonly heads: MongoHeads;
  readonly #client: MongoClient;
  readonly #documents: Collection<StateDocument>;
  readonly #exclusive: boolean;
  #rev: number | undefined;

  constructor(options: SaverOptions) {
    super();
    this.tenant = options.tenant;
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
    const id = checkpointId ?? (await this.newest(threadId, ns));
    if (id === undefined) return undefined;
    const key = checkpointKey(this.tenant, threadId, ns, id);
    const [document, writes] = await Promise.all([
      this.readDocument(key),
      this.readGroup(writeGroup(this.tenant, threadId, ns, id)),
    ]);
    return document === undefined ? undefined : this.#tuple(document, writes, config);
  }

  override async *list(config: RunnableConfig, options: CheckpointListOptions = {}): AsyncGenerator<CheckpointTuple> {
    const { configurable = {} } = config;
    const threadId = configurable.thread_id as string | undefined;
    const ns = configurable.checkpoint_ns as string | undefined;
    const before = options.before?.configurable?.checkpoint_id as string | undefined;
    const only = configurable.checkpoint_id as string | undefined;
    let left = options.limit ?? Number.POSITIVE_INFINITY;
    const filter =
      threadId === undefined
        ? { group: { $regex: `^${this.tenant}/[^/]*/c/` } }
        : {
            group:
              ns === undefined
                ? prefixRange(checkpointGroup(this.tenant, threadId))
                : checkpointGroup(this.tenant, threadId, ns),
          };
    for await (const document of this.#documents.find(filter).sort({ _id: -1 })) {
      if (left <= 0) return;
      const at = parseCheckpointKey(document._id);
      if (ns !== undefined && at.ns !== ns) continue;
      if (only !== undefined && at.id !== only) continue;
      if (before !== undefined && at.id >= before) continue;
      const metadata = await this.metadataOf(document);
      const wanted = Object.entries(options.filter ?? {});
      if (!wanted.every(([key, value]) => same((metadata as Record<string, unknown>)[key], value))) continue;
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
    const inserts = await this.encodeCheckpoint(config, checkpoint, metadata, newVersions);
    const heads = { [ns]: { checkpointId: checkpoint.id, run: 0, step: metadata.step ?? 0, base: 0, tail: 0 } };
    const rev = await this.#expectedRev(threadId);
    const head = () => Promise.resolve({ heads, ...(rev !== undefined && { rev }) });
    try {
      await this.commit(threadId, { inserts, merges: [], head });
    } catch (error) {
      // Only a caller who numbers versions or repeats ids himself meets what is there already.
      if ((error as { code?: unknown }).code !== 11000) throw error;
      await this.commit(threadId, { inserts: [], merges: inserts, head });
    }
    if (rev !== undefined) this.#rev = rev + 1;
    return { configurable: { thread_id: threadId, checkpoint_ns: ns, checkpoint_id: checkpoint.id } };
  }

  override async putWrites(
    config: RunnableConfig,
    writes: PendingWrite[],
    taskId: string,
    taskPath = '',
  ): Promise<void> {
    const { threadId } = this.address(config);
    const merges = await this.encodeWrites(config, writes, taskId, taskPath);
    const rev = await this.#expectedRev(threadId);
    await this.commit(threadId, {
      inserts: [],
      merges,
      head: () => Promise.resolve({ heads: {}, ...(rev !== undefined && { rev }) }),
    });
    if (rev !== undefined) this.#rev = rev + 1;
  }

  override async deleteThread(threadId: string): Promise<void> {
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

  readHead(threadId: string): Promise<Head> {
    return this.heads.readHead(this.tenant, threadId);
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
    const { thread_id: threadId, checkpoint_ns: ns = '', checkpoint_id: id } = config.configurable ?? {};
    if (typeof threadId !== 'string' || threadId === '') {
      throw new ColloquyError(
        'invalid_argument',
        `configurable.thread_id is ${JSON.stringify(threadId)}; expected a string`,
        {
          field: 'configurable.thread_id',
        },
      );
    }
    return { threadId, ns: ns as string, ...(id ? { checkpointId: id as string } : {}) };
  }

  protected async encodeCheckpoint(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
    labels?: Record<string, unknown>,
  ): Promise<StateDocument[]> {
    const { threadId, ns, checkpointId: parent } = this.address(config);
    const { channel_values: values, ...rest } = copyCheckpoint(checkpoint);
    const blobs = Object.entries(newVersions).map(async ([channel, version]): Promise<StateDocument> => {
      const _id = blobKey(this.tenant, threadId, ns, channel, version);
      const group = blobGroup(this.tenant, threadId);
      if (!(channel in values)) return { _id, group, type: EMPTY, data: new Uint8Array() };
      const [type, data] = await this.serde.dumpsTyped(values[channel]);
      return { _id, group, type, data };
    });
    const [type, data] = await this.serde.dumpsTyped(rest);
    const [, metadataText] = await this.serde.dumpsTyped(metadata);
    const document: StateDocument = {
      _id: checkpointKey(this.tenant, threadId, ns, checkpoint.id),
      group: checkpointGroup(this.tenant, threadId, ns),
      type,
      data,
      metadata: new TextDecoder().decode(metadataText),
      ...(labels !== undefined && { labels: JSON.stringify(labels) }),
      ...(parent !== undefined && { parent }),
    };
    return [document, ...(await Promise.all(blobs))];
  }

  /** What the history shows and is searched by. */
  protected async metadataOf(document: StateDocument): Promise<CheckpointMetadata> {
    const labels = JSON.parse(document.labels ?? '{}') as object;
    const metadata = (await this.serde.loadsTyped('json', document.metadata ?? '{}')) as CheckpointMetadata;
    return { ...labels, ...metadata };
  }

  protected async encodeWrites(
    config: RunnableConfig,
    writes: PendingWrite[],
    taskId: string,
    path: string,
  ): Promise<StateDocument[]> {
    const { threadId, ns, checkpointId } = this.address(config);
    if (checkpointId === undefined) {
      throw new ColloquyError(
        'invalid_argument',
        `configurable.checkpoint_id is missing; cannot store writes of task ${taskId}`,
        {
          field: 'configurable.checkpoint_id',
        },
      );
    }
    const group = writeGroup(this.tenant, threadId, ns, checkpointId);
    return Promise.all(
      writes.map(async ([channel, value], position): Promise<StateDocument> => {
        const index = WRITES_IDX_MAP[channel] ?? position;
        const [type, data] = await this.serde.dumpsTyped(value);
        return { _id: writeKey(group, taskId, index), group, type, data, write: { taskId, path, index, channel } };
      }),
    );
  }

  /** Stores documents and moves the head, or does nothing. Answers the run that a message waits for. Errors: `fence_lost`. */
  protected async commit(threadId: string, commit: StateCommit): Promise<string | undefined> {
    const store = (session: ClientSession) =>
      session.withTransaction(async () => {
        if (commit.inserts.length > 0) await this.#documents.insertMany(commit.inserts, { session });
        if (commit.merges.length > 0) await this.#documents.bulkWrite(commit.merges.map(mergeWrite), { session });
        await commit.beside?.(session);
        return this.heads.change(session, this.tenant, threadId, await commit.head());
      });
    return answeredWithin(
      COMMIT_MS,
      this.heads.unblocked(() => this.#client.withSession(store)),
    );
  }

  protected async readDocument(key: string): Promise<StateDocument | undefined> {
    return (await this.#documents.findOne({ _id: key })) ?? undefined;
  }

  protected async readDocuments(keys: string[]): Promise<StateDocument[]> {
    return keys.length === 0 ? [] : this.#documents.find({ _id: { $in: keys } }).toArray();
  }

  protected readGroup(group: string): Promise<StateDocument[]> {
    return this.#documents.find({ group }).toArray();
  }

  async #tuple(document: StateDocument, writes: StateDocument[], config: RunnableConfig): Promise<CheckpointTuple> {
    const { threadId, ns, id } = parseCheckpointKey(document._id);
    const rest = (await this.serde.loadsTyped(document.type, bytes(document))) as Omit<Checkpoint, 'channel_values'>;
    const keys = Object.entries(rest.channel_versions).map(
      ([channel, version]) => [blobKey(this.tenant, threadId, ns, channel, version), channel] as const,
    );
    const channels = new Map(keys);
    const values: Record<string, unknown> = {};
    const stored = new Map((await this.readDocuments([...channels.keys()])).map((blob) => [blob._id, blob]));
    // Channel order is the order of their versions, as in-process.
    for (const [key, channel] of channels) {
      const blob = stored.get(key);
      if (blob === undefined || blob.type === EMPTY) continue;
      values[channel] = await this.serde.loadsTyped(blob.type, bytes(blob));
    }
    const configurable = { ...config.configurable, thread_id: threadId, checkpoint_ns: ns };
    const checkpoint: Checkpoint = { ...rest, channel_values: values };
    if (checkpoint.v < 4 && document.parent !== undefined)
      await this.#migrateSends(checkpoint, threadId, ns, document.parent);
    return {
      config: { configurable: { ...configurable, checkpoint_id: id } },
      checkpoint,
      metadata: await this.metadataOf(document),
      pendingWrites: await this.#pendingWrites(writes),
      ...(document.parent !== undefined && {
        parentConfig: { configurable: { thread_id: threadId, checkpoint_ns: ns, checkpoint_id: document.parent } },
      }),
    };
  }

  /** Checkpoints before format 4 kept `Send`s as writes of their parent; now they are a channel. */
  async #migrateSends(checkpoint: Checkpoint, threadId: string, ns: string, parent: string): Promise<void> {
    const writes = await this.#pendingWrites(await this.readGroup(writeGroup(this.tenant, threadId, ns, parent)));
    const versions = Object.values(checkpoint.channel_versions);
    checkpoint.channel_values[TASKS] = writes.filter(([, channel]) => channel === TASKS).map(([, , value]) => value);
    checkpoint.channel_versions[TASKS] =
      versions.length > 0 ? maxChannelVersion(...versions) : this.getNextVersion(undefined);
  }

  async #pendingWrites(documents: StateDocument[]): Promise<CheckpointPendingWrite[]> {
    const writes = documents.flatMap((document) =>
      document.write === undefined ? [] : [{ document, write: document.write }],
    );
    const key = ({ path, taskId, index }: (typeof writes)[number]['write']) => writesSortKey(path, taskId, index);
    writes.sort((a, b) => compareWritesSortKeys(key(a.write), key(b.write)));
    return Promise.all(
      writes.map(
        async ({ document, write }): Promise<CheckpointPendingWrite> => [
          write.taskId,
          write.channel,
          await this.serde.loadsTyped(document.type, bytes(document)),
        ],
      ),
    );
  }
}

function mergeWrite(document: StateDocument) {
  const { _id, ...fields } = document;
  const replaced = document.metadata !== undefined || (document.write?.index ?? 0) < 0;
  const update = replaced ? { $set: fields } : { $setOnInsert: fields };
  return { updateOne: { filter: { _id }, update, upsert: true } };
}

/** Serialized data, as the driver gave it or as it was encoded. */
export function bytes(document: StateDocument): Uint8Array {
  const { data } = document;
  return data instanceof Uint8Array ? data : data.buffer.subarray(0, data.position);
}

function same(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}

/** Lookups by group, newest key first. */
export async function ensureStateIndexes(db: Db): Promise<void> {
  await db.collection('checkpoints').createIndex({ group: 1, _id: -1 });
}
