import type { RunnableConfig } from '@langchain/core/runnables';
import {
  TASKS,
  WRITES_IDX_MAP,
  copyCheckpoint,
  maxChannelVersion,
  type ChannelVersions,
  type Checkpoint,
  type CheckpointMetadata,
  type CheckpointTuple,
  type DeltaChannelHistory,
  type PendingWrite,
} from '@langchain/langgraph-checkpoint';
import type { StateReads } from '../state-collection.js';
import {
  bytes,
  checkpointGroup,
  checkpointKey,
  parseCheckpointKey,
  partialWriteKey,
  writeGroup,
  writeKey,
  type StateDocument,
} from '../state-documents.js';
import { ChannelValues, type LargeValues } from '../values/channel-values.js';
import type { Leaf } from '../values/long-list.js';
import { StateSerializer } from '../values/state-serializer.js';
import { StateValues } from '../values/state-values.js';
import { addressOf, configOf, invalidConfig } from './checkpoint-address.js';
import { readDeltaHistory } from './delta-history.js';
import { partialIn, withoutSuperseded } from './partial-writes.js';

interface CodecOptions {
  tenant: string;
  reads: StateReads;
  /**
   * Whether a new version of a list may reference chunks of the list's previous version. Another
   * writer might remove these chunks before the new version is committed. Set this only if the
   * commit of the new version fails in this case.
   */
  sharesChunks: boolean;
  /**
   * Whether the metadata of a decoded checkpoint include the metadata of its run, which are stored
   * as `labels`. Default: true.
   */
  showsLabels?: boolean;
  /**
   * Removes a decoded leaf (a chunk of a long list) from a cache and returns it. If it returns
   * undefined, the codec reads the leaf from the database.
   */
  takeLeaf?: (key: string) => Leaf | undefined;
}

/** Translates checkpoints and pending writes to documents, and documents back. */
export class CheckpointCodec {
  readonly serializer = new StateSerializer();
  readonly channels: ChannelValues;
  readonly #values: StateValues;
  readonly #tenant: string;
  readonly #reads: StateReads;
  readonly #sharesChunks: boolean;
  readonly #showsLabels: boolean;

  constructor({ tenant, reads, sharesChunks, showsLabels = true, takeLeaf = () => undefined }: CodecOptions) {
    const readDocuments = (keys: string[]) => reads.readDocuments(keys);
    this.#tenant = tenant;
    this.#reads = reads;
    this.#sharesChunks = sharesChunks;
    this.#showsLabels = showsLabels;
    this.#values = new StateValues(tenant, this.serializer, { read: readDocuments, take: takeLeaf });
    this.channels = new ChannelValues(tenant, this.#values, readDocuments);
  }

  /**
   * Returns the documents of a checkpoint. Encodes the values synchronously, because a graph may
   * change them right after the call.
   */
  encodeCheckpoint(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
    labels?: Record<string, unknown>,
  ): { documents: StateDocument[]; largeValues: LargeValues } {
    const { threadId, ns, checkpointId: parent } = addressOf(config);
    const { channel_values: values, ...rest } = copyCheckpoint(checkpoint);
    const scope = { threadId, ns, isTracked: this.#sharesChunks };
    const { documents, largeValues } = this.channels.encode(scope, values, newVersions);
    const document: StateDocument = {
      _id: checkpointKey(this.#tenant, threadId, ns, checkpoint.id),
      group: checkpointGroup(this.#tenant, threadId, ns),
      ...this.serializer.dumps(rest),
      metadata: new TextDecoder().decode(this.serializer.dumps(metadata).data),
      ...(labels !== undefined && { labels: JSON.stringify(labels) }),
      ...(parent !== undefined && { parent }),
    };
    return { documents: [document, ...documents], largeValues };
  }

  /**
   * Returns the documents of pending writes. Encodes the values synchronously, for the same reason
   * as {@link encodeCheckpoint}.
   */
  encodeWrites(
    config: RunnableConfig,
    writes: PendingWrite[],
    taskId: string,
    path: string,
  ): { documents: StateDocument[]; chunks: StateDocument[] } {
    const { threadId, ns, checkpointId } = addressOf(config);
    if (checkpointId === undefined) {
      throw invalidConfig('checkpoint_id', `is missing; cannot store writes of task ${taskId}`);
    }
    const group = writeGroup(this.#tenant, threadId, ns, checkpointId);
    const isPartial = partialIn(writes);
    const encoded = writes.map(([channel, value], position) => {
      const index = WRITES_IDX_MAP[channel] ?? position;
      const { fields, chunks } = this.#values.encode(threadId, value);
      const write = { taskId, path, index, channel };
      const document: StateDocument = isPartial(channel)
        ? { _id: partialWriteKey(group, taskId, index), group, ...fields, write: { ...write, isPartial: true } }
        : { _id: writeKey(group, taskId, index), group, ...fields, write };
      return { document, chunks };
    });
    return {
      documents: encoded.map(({ document }) => document),
      chunks: encoded.flatMap(({ chunks }) => chunks),
    };
  }

  /**
   * Decodes a checkpoint from which a graph continues. With `sharesChunks`, the next versions of
   * the checkpoint's lists may reference the chunks of this checkpoint.
   */
  decodeCurrent(document: StateDocument, writes: StateDocument[], config: RunnableConfig): Promise<CheckpointTuple> {
    return this.#decode(document, writes, config, this.#sharesChunks);
  }

  /** Decodes a checkpoint from which no graph continues, for example one of a thread's history. */
  decodePast(document: StateDocument, writes: StateDocument[], config: RunnableConfig): Promise<CheckpointTuple> {
    return this.#decode(document, writes, config, false);
  }

  /** Decodes a checkpoint without the values of its channels. */
  async decodeHeader(document: StateDocument): Promise<Omit<Checkpoint, 'channel_values'>> {
    return (await this.serializer.loadsTyped(document.type, bytes(document))) as Omit<Checkpoint, 'channel_values'>;
  }

  /**
   * Returns the metadata of a checkpoint. With `showsLabels`, the result also contains the metadata
   * of the run that created the checkpoint. If both have the same key, the checkpoint's value wins.
   */
  async metadataOf({ labels = '{}', metadata = '{}' }: StateDocument): Promise<CheckpointMetadata> {
    const own = (await this.serializer.loadsTyped('json', metadata)) as CheckpointMetadata;
    return this.#showsLabels ? { ...(JSON.parse(labels) as object), ...own } : own;
  }

  /**
   * Returns the data from which LangGraph builds the values of `DeltaChannel`s: for each channel,
   * the last value that was stored as a whole (the seed), and all pending writes after it.
   */
  deltaHistory(start: StateDocument, channels: string[]): Promise<Record<string, DeltaChannelHistory>> {
    const source = { tenant: this.#tenant, serializer: this.serializer, values: this.#values, reads: this.#reads };
    return readDeltaHistory(source, start, channels);
  }

  async #decode(
    document: StateDocument,
    writes: StateDocument[],
    config: RunnableConfig,
    isTracked: boolean,
  ): Promise<CheckpointTuple> {
    const { threadId, ns, id } = parseCheckpointKey(document._id);
    const header = await this.decodeHeader(document);
    const values = await this.channels.decode({ threadId, ns, isTracked }, header.channel_versions);
    const configurable = { ...config.configurable, thread_id: threadId, checkpoint_ns: ns };
    const checkpoint: Checkpoint = { ...header, channel_values: values };
    if (checkpoint.v < 4 && document.parent !== undefined)
      await this.#migrateSends(checkpoint, threadId, ns, document.parent);
    return {
      config: { configurable: { ...configurable, checkpoint_id: id } },
      checkpoint,
      metadata: await this.metadataOf(document),
      pendingWrites: await this.#values.decodeWrites(threadId, withoutSuperseded(writes)),
      ...(document.parent !== undefined && { parentConfig: configOf(threadId, ns, document.parent) }),
    };
  }

  /**
   * Converts a checkpoint whose format version is below 4. In these old formats, LangGraph stored
   * the `Send`s of a checkpoint as pending writes of its parent checkpoint. Copies them to the
   * channel in which LangGraph expects them now.
   */
  async #migrateSends(checkpoint: Checkpoint, threadId: string, ns: string, parent: string): Promise<void> {
    const documents = await this.#reads.readGroup(writeGroup(this.#tenant, threadId, ns, parent));
    const writes = await this.#values.decodeWrites(threadId, documents);
    const versions = Object.values(checkpoint.channel_versions);
    checkpoint.channel_values[TASKS] = writes.filter(([, channel]) => channel === TASKS).map(([, , value]) => value);
    checkpoint.channel_versions[TASKS] = versions.length > 0 ? maxChannelVersion(...versions) : nextVersion(undefined);
  }
}

/**
 * Returns the channel version after `current`. A version has a random part, because two branches of
 * a thread may both create version 5 of a channel.
 */
export function nextVersion(current: string | number | undefined): string {
  const number = current === undefined ? 0 : Number.parseInt(String(current), 10);
  const random = Math.floor(Math.random() * 2 ** 48);
  return `${String(number + 1).padStart(12, '0')}.${random.toString(16).padStart(12, '0')}`;
}
