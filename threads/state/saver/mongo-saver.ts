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
   * Set for one edit of one thread. A put then fails with `fence_lost` if another writer has moved
   * the head since this saver first read the head.
   */
  exclusive?: boolean;
}

/**
 * LangGraph's checkpoint saver on MongoDB, bound to a tenant. Each version of a channel value is
 * stored once. The versions of a long list share chunks, so that a step stores only its changes. A
 * checkpoint and the move of the thread's head are one transaction. The head names the newest
 * checkpoint.
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
   * Returns the writes and whole values from which LangGraph builds delta channels. A checkpoint
   * that does not exist has no history.
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
        // After a failed commit, the next version must not share chunks that were not stored.
        this.#codec.channels.release();
        // A key is written twice only if a caller makes its own versions or repeats a checkpoint
        // id.
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
   * Returns the key of the committed document that stores a large channel value. Finds the value by
   * object identity. Returns undefined if no such document is known.
   */
  blobOf(value: object): string | undefined {
    return this.#codec.channels.keyOfValue(value);
  }

  /** Returns the JSON text of the channel value that is stored under a key. Errors: `not_found`. */
  valueText(threadId: string, key: string, texts: ValueTexts): Promise<string> {
    return this.#codec.channels.text(threadId, key, texts);
  }

  /**
   * Runs the commits of a thread one after another. LangGraph starts them concurrently, so without
   * the queue they would conflict.
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
   * Returns the newest checkpoint id of a namespace. A finished subgraph has no head, so the
   * highest checkpoint id is used for its namespace.
   */
  async #newest(threadId: string, ns: string): Promise<string | undefined> {
    const { rev, heads } = await this.#heads.readHead(this.#tenant, threadId);
    this.#rev ??= rev;
    return heads[ns]?.checkpointId ?? this.#state.highestCheckpoint(threadId, ns);
  }
}
