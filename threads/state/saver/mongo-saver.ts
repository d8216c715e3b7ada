import type { RunnableConfig } from '@langchain/core/runnables';
import {
  BaseCheckpointSaver,
  type ChannelVersions,
  type Checkpoint,
  type CheckpointListOptions,
  type CheckpointMetadata,
  type CheckpointTuple,
  type DeltaChannelHistory,
  type PendingWrite,
} from '@langchain/langgraph-checkpoint';
import type { Db, MongoClient } from 'mongodb';
import { isDuplicateKey } from '../../../database/index.js';
import { MongoHeads, type HeadChange } from '../mongo-heads.js';
import { StateCollection } from '../state-collection.js';
import type { StateCommit } from '../state-commit.js';
import { checkpointKey, writeGroup } from '../state-documents.js';
import type { ValueTexts } from '../values/value-texts.js';
import { addressOf, configOf } from './checkpoint-address.js';
import { CheckpointCodec, nextVersion } from './checkpoint-codec.js';
import { listCheckpoints } from './checkpoint-search.js';
import { KeyedQueue } from './keyed-queue.js';

export interface SaverOptions {
  client: MongoClient;
  db: Db;
  tenant: string;
  /**
   * Set to true if the saver is for one edit of one thread. Its writes then fail with `fence_lost`
   * if another writer has changed the thread's head (its newest checkpoints and revision) since
   * this saver first read it.
   */
  exclusive?: boolean;
}

/**
 * LangGraph's checkpoint saver on MongoDB for one tenant. Each version of a channel value is stored
 * once. One transaction stores a checkpoint and moves the thread's head, which then names this
 * checkpoint as the newest. A long list is stored in chunks. With `exclusive`, a new version of the
 * list shares the unchanged chunks, so that a put stores only the changes.
 */
export class MongoSaver extends BaseCheckpointSaver<string> {
  readonly #tenant: string;
  readonly #heads: MongoHeads;
  readonly #state: StateCollection;
  readonly #codec: CheckpointCodec;
  readonly #exclusive: boolean;
  #rev: number | undefined;
  readonly #commits = new KeyedQueue();

  constructor({ client, db, tenant, exclusive = false }: SaverOptions) {
    const heads = new MongoHeads(db);
    const state = new StateCollection({ client, db }, tenant, heads);
    const codec = new CheckpointCodec({ tenant, reads: state, sharesChunks: exclusive });
    super(codec.serializer);
    this.#tenant = tenant;
    this.#heads = heads;
    this.#state = state;
    this.#codec = codec;
    this.#exclusive = exclusive;
  }

  override getNextVersion(current: string | number | undefined): string {
    return nextVersion(current);
  }

  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    // LangGraph's contract: a config without a thread has no checkpoint.
    if (config.configurable?.thread_id === undefined) return undefined;
    const { threadId, ns, checkpointId } = addressOf(config);
    if (checkpointId !== undefined) await this.#expectedRev(threadId);
    const id = checkpointId ?? (await this.#newest(threadId, ns));
    if (id === undefined) return undefined;
    const [document, writes] = await Promise.all([
      this.#state.readDocument(checkpointKey(this.#tenant, threadId, ns, id)),
      this.#state.readGroup(writeGroup(this.#tenant, threadId, ns, id)),
    ]);
    return document && this.#codec.decodeCurrent(document, writes, config);
  }

  hasCheckpoint(threadId: string, ns: string, checkpointId: string): Promise<boolean> {
    return this.#state.hasCheckpoint(threadId, ns, checkpointId);
  }

  /**
   * For each given `DeltaChannel`, returns the last value that was stored as a whole, and all
   * pending writes after it. LangGraph builds the current value from these. If the checkpoint does
   * not exist, returns an empty list of writes for each channel.
   */
  override async getDeltaChannelHistory(options: {
    config: RunnableConfig;
    channels: string[];
  }): Promise<Record<string, DeltaChannelHistory>> {
    const { threadId, ns, checkpointId } = addressOf(options.config);
    const id = checkpointId ?? (await this.#newest(threadId, ns));
    const start =
      id === undefined ? undefined : await this.#state.readDocument(checkpointKey(this.#tenant, threadId, ns, id));
    if (start === undefined) return Object.fromEntries(options.channels.map((channel) => [channel, { writes: [] }]));
    return this.#codec.deltaHistory(start, options.channels);
  }

  override list(config: RunnableConfig, options: CheckpointListOptions = {}): AsyncGenerator<CheckpointTuple> {
    return listCheckpoints({ state: this.#state, reads: this.#state, codec: this.#codec }, config, options);
  }

  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    const { threadId, ns } = addressOf(config);
    const { documents, largeValues } = this.#codec.encodeCheckpoint(config, checkpoint, metadata, newVersions);
    const heads = { [ns]: { checkpointId: checkpoint.id, run: 0, step: metadata.step ?? 0, base: 0, tail: 0 } };
    await this.#queued(threadId, async (head) => {
      try {
        await this.#state.commit(threadId, { inserts: documents, merges: [], head: head(heads) });
        this.#codec.channels.rememberKeys(largeValues);
      } catch (error) {
        // It is possible that the chunks of the failed commit were not stored. So the lists are
        // forgotten, and no later version of a list shares these chunks.
        this.#codec.channels.release();
        // A duplicate key is possible only if the caller makes its own channel versions or puts the
        // same checkpoint id twice.
        if (!isDuplicateKey(error)) throw error;
        await this.#state.commit(threadId, { inserts: [], merges: documents, head: head(heads) });
      }
    });
    return configOf(threadId, ns, checkpoint.id);
  }

  override async putWrites(
    config: RunnableConfig,
    writes: PendingWrite[],
    taskId: string,
    taskPath = '',
  ): Promise<void> {
    const { threadId } = addressOf(config);
    const { documents: merges, chunks: inserts } = this.#codec.encodeWrites(config, writes, taskId, taskPath);
    await this.#queued(threadId, (head) => this.#state.commit(threadId, { inserts, merges, head: head({}) }));
  }

  override async deleteThread(threadId: string): Promise<void> {
    this.#codec.channels.release();
    await this.#state.removeThread(threadId);
  }

  /**
   * Returns the key of the committed document that stores a large channel value. Values are
   * compared by object identity. Returns undefined if no such document is known.
   */
  blobOf(value: object): string | undefined {
    return this.#codec.channels.keyOfValue(value);
  }

  /** Returns the JSON text of the channel value that is stored under a key. Errors: `not_found`. */
  valueText(threadId: string, key: string, texts: ValueTexts): Promise<string> {
    return this.#codec.channels.text(threadId, key, texts);
  }

  /**
   * Runs the commits of a thread one after another. LangGraph starts several commits at the same
   * time. Without this queue, their transactions would conflict.
   */
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
    this.#rev ??= (await this.#heads.readHead(this.#tenant, threadId)).rev;
    return this.#rev;
  }

  /**
   * Returns the id of a namespace's newest checkpoint. The thread's head names this checkpoint,
   * except for namespaces of finished subgraphs. For these, it is the one with the highest id.
   */
  async #newest(threadId: string, ns: string): Promise<string | undefined> {
    const { rev, heads } = await this.#heads.readHead(this.#tenant, threadId);
    this.#rev ??= rev;
    return heads[ns]?.checkpointId ?? this.#state.highestCheckpoint(threadId, ns);
  }
}
