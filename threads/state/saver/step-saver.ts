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
import type { ClientSession } from 'mongodb';
import { asPlatformError } from '../../../database/index.js';
import { decodeFence, type Fence, type Head, type NamespaceHead } from '../../../protocol/index.js';
import { MongoHeads } from '../mongo-heads.js';
import { StateCollection } from '../state-collection.js';
import { checkpointKey, chunkGroup, chunkKey, writeGroup, type StateDocument } from '../state-documents.js';
import type { LargeValues } from '../values/channel-values.js';
import { addressOf, configOf } from './checkpoint-address.js';
import { CheckpointCodec, nextVersion } from './checkpoint-codec.js';
import { listCheckpoints } from './checkpoint-search.js';
import type { SaverOptions } from './mongo-saver.js';
import { withoutPartial } from './partial-writes.js';
import type { StateCache } from './state-cache.js';
import { StepCommits } from './step-commits.js';
import { StepReads } from './step-reads.js';

/** LangGraph's step number before a thread has a checkpoint. The first checkpoint has number -1. */
const BEFORE_FIRST_STEP = -2;
const NULL_TASK_ID = '00000000-0000-0000-0000-000000000000';
const RESUME = '__resume__';
const START = '__start__';
/**
 * How long, in ms, the pending writes of a finished task wait to be committed together with their
 * superstep. After this time they are committed alone, so that they are kept if another task of the
 * superstep fails.
 */
const WRITES_DELAY_MS = 3;

export interface CommitInfo {
  ns: string;
  /** LangGraph's step number of the committed checkpoint. */
  step: number;
}

export interface StepSaverOptions extends Omit<SaverOptions, 'exclusive'> {
  threadId: string;
  runId: string;
  /**
   * Metadata of the run. A thread's history shows them with each checkpoint of the run, and a
   * search of the history can filter by them.
   */
  runMetadata?: Record<string, unknown>;
  fence: Fence;
  /**
   * The thread's head. The first commit fails with `fence_lost` if another writer has moved the
   * head since this value was read.
   */
  head: Head;
  cache: StateCache;
  /**
   * Stores the events of a superstep, and resolves to the offset of the thread's last event. The
   * transaction that commits the superstep waits for this before it moves the thread's head. So the
   * events of a superstep are always stored before its state.
   */
  beforeCommit: () => Promise<number>;
  /** Offset of the thread's last event when the saver is created. */
  tail: number;
  /** Called after each commit of a superstep. */
  onCommit: (commit: CommitInfo) => void;
  /**
   * Returns whether the graph of a namespace takes its input through an entry node (`__start__`).
   * If so, the checkpoint of the entry node follows right after the checkpoint of the input.
   */
  hasEntry: (ns: string) => boolean;
  /**
   * Called when the root graph stores a checkpoint that does not end a superstep, such as the
   * checkpoint of the input. No node of the next superstep has started yet.
   */
  onInput?: () => void;
  /**
   * Marks injected messages as taken. Each injected message is stored as a run, and `runIds` are
   * the ids of these runs. Called in the transaction that commits the state with the messages.
   */
  takeInjections?: (session: ClientSession, runIds: string[]) => Promise<void>;
  /**
   * Whether a subgraph has already consumed the answer in the run's `Command`. If so, the saver
   * hides the answer, so that the subgraph's next interrupt does not get the same answer.
   */
  resumeConsumed?: boolean;
}

/**
 * LangGraph's checkpoint saver for one step activity. It writes to one thread, for one run, with
 * one fence. The graph waits for the commit of each superstep. The checkpoint of an input and the
 * checkpoint of the entry node (`__start__`) that follows it are committed in one transaction. When
 * a task ends, its pending writes wait up to {@link WRITES_DELAY_MS} for the end of the superstep.
 * If the superstep ends in this time, both are committed together. Otherwise the pending writes are
 * committed first.
 */
export class StepSaver extends BaseCheckpointSaver<string> {
  readonly #options: StepSaverOptions;
  /** Ordinal of the run, which is the first part of the fence. */
  readonly #run: number;
  readonly #state: StateCollection;
  readonly #reads: StepReads;
  readonly #codec: CheckpointCodec;
  readonly #commits: StepCommits;
  #injecting: string[] = [];
  /**
   * Namespaces in which a node has put pending writes since the last checkpoint of the namespace.
   * The next checkpoint of such a namespace ends a superstep. The entry node does not count.
   */
  readonly #worked = new Set<string>();
  /**
   * Values of the field `group` in the documents of pending writes. Each checkpoint has one such
   * value, and this set has those of the checkpoints that this saver has created. The pending
   * writes for these checkpoints are inserted, not merged, because the database has no earlier
   * writes for these checkpoints.
   */
  readonly #newGroups = new Set<string>();
  /**
   * Large channel values that are being stored as documents of their own. The commit that
   * references these documents comes later.
   */
  readonly #storing = new WeakMap<object, { key: string; stored: Promise<void> }>();

  constructor(options: StepSaverOptions) {
    const { client, db, tenant, threadId, cache, head, fence, tail, takeInjections } = options;
    const state = new StateCollection({ client, db }, tenant, new MongoHeads(db));
    const reads = new StepReads({ stored: state, cache, threadId, rev: head.rev });
    const codec = new CheckpointCodec({
      tenant,
      reads,
      // A new version of a list may reference chunks (parts of the list) that the previous version
      // also references. This is safe: a writer that removes chunks raises the revision of the head
      // first. After that, every commit of this saver fails, because it expects the old revision.
      sharesChunks: true,
      // LangGraph streams the metadata of each checkpoint that it gets from the saver. So the
      // saver omits the metadata of the run (the labels), which do not come from the graph.
      showsLabels: false,
      takeLeaf: (key) => cache.takeLeaf(key),
    });
    super(codec.serializer);
    this.#options = options;
    this.#run = decodeFence(fence).run;
    this.#state = state;
    this.#reads = reads;
    this.#codec = codec;
    this.#commits = new StepCommits({
      ...{ state, threadId, fence, head, tail },
      ...(takeInjections && { takeInjections }),
      onCommitted: (largeValues) => codec.channels.rememberKeys(largeValues),
    });
  }

  /**
   * If true, everything that the graph puts is dropped. Set while a paused graph is ended: what it
   * puts then is about nodes that have not started.
   */
  isIgnoring = false;

  get head(): Head {
    return this.#commits.head;
  }

  /**
   * Whether a client has injected a message into this run, as far as the last commit showed. Stays
   * true after the run has taken the message.
   */
  get isSteered(): boolean {
    return this.#commits.steeredRun === this.#options.runId;
  }

  /** Continues with the next step of the same run, which has a higher fence. */
  advance(fence: Fence): void {
    this.#commits.advance(fence);
  }

  /**
   * Tells the saver that the next root checkpoint adds these injected messages to the state. That
   * checkpoint is not a superstep of the graph.
   */
  inject(runIds: string[]): void {
    this.#injecting = runIds;
  }

  override getNextVersion(current: string | number | undefined): string {
    return nextVersion(current);
  }

  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    // LangGraph's contract: a config without a thread has no checkpoint.
    if (config.configurable?.thread_id === undefined) return undefined;
    const { threadId, ns, checkpointId } = addressOf(config);
    const id = checkpointId ?? (await this.#newest(threadId, ns));
    if (id === undefined) return undefined;
    const [document, writes] = await Promise.all([
      this.#reads.readDocument(checkpointKey(this.#options.tenant, threadId, ns, id)),
      this.#reads.readGroup(this.#writeGroup(threadId, ns, id)),
    ]);
    if (document === undefined) return undefined;
    const tuple = await this.#codec.decodeCurrent(document, withoutPartial(writes), config);
    return this.#withoutConsumedAnswer(ns, tuple);
  }

  /**
   * Returns the data from which LangGraph builds the values of `DeltaChannel`s: for each channel,
   * the last value that was stored whole, and all pending writes since then. If the checkpoint does
   * not exist, returns an empty list of writes for each channel.
   */
  override async getDeltaChannelHistory(options: {
    config: RunnableConfig;
    channels: string[];
  }): Promise<Record<string, DeltaChannelHistory>> {
    const { threadId, ns, checkpointId } = addressOf(options.config);
    const id = checkpointId ?? (await this.#newest(threadId, ns));
    const key = id === undefined ? undefined : checkpointKey(this.#options.tenant, threadId, ns, id);
    const start = key === undefined ? undefined : await this.#reads.readDocument(key);
    if (start === undefined) return Object.fromEntries(options.channels.map((channel) => [channel, { writes: [] }]));
    return this.#codec.deltaHistory(start, options.channels);
  }

  override list(config: RunnableConfig, options: CheckpointListOptions = {}): AsyncGenerator<CheckpointTuple> {
    return listCheckpoints({ state: this.#state, reads: this.#reads, codec: this.#codec }, config, options);
  }

  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    const { threadId, ns } = addressOf(config);
    if (this.isIgnoring) return configOf(threadId, ns, checkpoint.id);
    const step = metadata.step ?? 0;
    const injected = ns === '' ? this.#injecting.splice(0) : [];
    const heads = {
      [ns]: this.#nextHead(ns, checkpoint.id, step, injected.length > 0),
      ...(ns === '' && this.#finishedSubgraphs()),
    };
    const group = this.#writeGroup(threadId, ns, checkpoint.id);
    this.#newGroups.add(group);
    this.#reads.beginWrites(group);
    const { runId, runMetadata, fence, cache } = this.#options;
    const labels = { ...runMetadata, run_id: runId, run_attempt: decodeFence(fence).attempt };
    const { documents, largeValues } = this.#codec.encodeCheckpoint(config, checkpoint, metadata, newVersions, labels);
    for (const document of documents) cache.set(document._id, [document]);
    const stored = largeValues.length > 0 ? this.#storeEarly(threadId, documents, largeValues) : { inserts: documents };
    this.#commits.add({ ...stored, merges: [], heads, largeValues, injected });
    if (this.#worked.delete(ns)) {
      await this.flush(this.#options.beforeCommit());
      this.#options.onCommit({ ns, step });
    } else {
      if (ns === '') this.#options.onInput?.();
      // Store the checkpoint before any node runs, so that tasks have the same ids after a crash:
      // LangGraph derives the id of a task from the checkpoint on which the task runs. Nodes use
      // task ids in idempotency keys, for example to send a message only once.
      const entryFollows = metadata.source === 'input' && START in newVersions && this.#options.hasEntry(ns);
      if (!entryFollows) await this.flush();
    }
    return configOf(threadId, ns, checkpoint.id);
  }

  override async putWrites(
    config: RunnableConfig,
    writes: PendingWrite[],
    taskId: string,
    taskPath = '',
  ): Promise<void> {
    if (this.isIgnoring) return;
    const { threadId, ns, checkpointId = '' } = addressOf(config);
    if (taskId !== NULL_TASK_ID && !taskPath.endsWith(START)) this.#worked.add(ns);
    const group = this.#writeGroup(threadId, ns, checkpointId);
    const { documents, chunks } = this.#codec.encodeWrites(config, writes, taskId, taskPath);
    for (const chunk of chunks) this.#options.cache.set(chunk._id, [chunk]);
    this.#reads.addWrites(group, documents);
    const isNew = this.#newGroups.has(group);
    this.#commits.add({
      inserts: isNew ? [...chunks, ...documents] : chunks,
      merges: isNew ? [] : documents,
    });
    // LangGraph stores the answers and updates of a `Command` as writes of a null task. These
    // writes need no early commit: until a task has used them, a new attempt reads them from the
    // run's request again.
    if (taskId !== NULL_TASK_ID) this.#commits.flushWithin(WRITES_DELAY_MS);
  }

  /** Deletes the state of the thread. LangGraph does not call this during a step. */
  override async deleteThread(threadId: string): Promise<void> {
    this.#codec.channels.release();
    await this.#state.removeThread(threadId);
  }

  /**
   * Returns the key of the document that stores a large channel value of the running graph. Values
   * are compared by object identity. `stored` is set while the document is being written. Returns
   * undefined if no document stores this value.
   */
  storedValue(value: object): { key: string; stored?: Promise<void> } | undefined {
    const key = this.#codec.channels.keyOfValue(value);
    return key === undefined ? this.#storing.get(value) : { key };
  }

  /**
   * Commits all checkpoints and pending writes that the graph has put so far. Awaits `beforeHead`
   * before it moves the head. `beforeHead` resolves to the offset of the thread's last event.
   * Errors: `fence_lost`, or the failure of an earlier commit.
   */
  flush(beforeHead?: Promise<number>): Promise<void> {
    return this.#commits.flush(beforeHead);
  }

  /**
   * Caches what the next step on this worker will read: the leaves of long lists (chunks of list
   * elements) in decoded form, and the pending writes of the newest checkpoints. Call it after the
   * last flush, when the graph has ended.
   */
  remember(): void {
    const { cache, tenant, threadId } = this.#options;
    for (const leaf of this.#codec.channels.release().flatMap((list) => list.leaves)) {
      // A leaf that was not decoded from the database contains the graph's own objects. These may
      // have state that is not stored, so no other step may get them.
      if (leaf.isDecoded) cache.keepLeaf(chunkKey(tenant, threadId, leaf.id), leaf);
    }
    const { rev, heads } = this.head;
    for (const [ns, { checkpointId }] of Object.entries(heads)) {
      this.#reads.rememberWrites(this.#writeGroup(threadId, ns, checkpointId), rev);
    }
  }

  async #newest(threadId: string, ns: string): Promise<string | undefined> {
    const head = this.#commits.headOf(ns);
    if (head !== undefined) return head.checkpointId;
    // The first commit of a thread adds the root namespace to the head. So if the head does not
    // contain the root namespace, the thread has no root checkpoint.
    if (ns === '') return undefined;
    // The namespace of a subgraph contains a task id, and each checkpoint of the parent graph gets
    // new task ids. So if this run created the parent's checkpoint, no earlier run can have used
    // the namespace, and the namespace has no checkpoint.
    const parent = ns.includes('|') ? ns.slice(0, ns.lastIndexOf('|')) : '';
    if (ns.includes(':') && this.#commits.headOf(parent)?.run === this.#run) return undefined;
    return this.#reads.highestCheckpoint(threadId, ns);
  }

  #withoutConsumedAnswer(ns: string, tuple: CheckpointTuple): CheckpointTuple {
    if (ns !== '' || !this.#options.resumeConsumed) return tuple;
    const pendingWrites = tuple.pendingWrites?.filter(
      ([task, channel]) => !(task === NULL_TASK_ID && channel === RESUME),
    );
    return { ...tuple, ...(pendingWrites && { pendingWrites }) };
  }

  /**
   * Returns the next head of a namespace. `base` is the step number from which the run's recursion
   * limit counts. A checkpoint that adds an injected message has a step number but is not a
   * superstep, so it raises `base` by one.
   */
  #nextHead(ns: string, checkpointId: string, step: number, hasMessage: boolean): NamespaceHead {
    const last = this.#commits.headOf(ns);
    const base = last?.run === this.#run ? last.base : (last?.step ?? BEFORE_FIRST_STEP);
    return { checkpointId, run: this.#run, step, base: hasMessage ? base + 1 : base, tail: 0 };
  }

  /**
   * Returns the namespaces that the commit of a root checkpoint removes from the head (`null`
   * removes a namespace): all namespaces with a task id, which follows a `:`. Each of them belongs
   * to a subgraph that one task has run. After the root checkpoint it is never resumed.
   */
  #finishedSubgraphs(): Record<string, null> {
    const names = Object.keys(this.head.heads).filter((ns) => ns.includes(':'));
    return Object.fromEntries(names.map((ns) => [ns, null]));
  }

  /**
   * Inserts the large values and the chunks among `documents` before the commit, so that events can
   * reference the values. The commit waits for this insert and for the events. Returns the promise
   * of the insert (`early`), and the documents that the commit inserts itself (`inserts`).
   */
  #storeEarly(threadId: string, documents: StateDocument[], largeValues: LargeValues) {
    const keys = new Set(largeValues.map(([, key]) => key));
    const chunks = chunkGroup(this.#options.tenant, threadId);
    const isEarly = ({ _id, group }: StateDocument) => group === chunks || keys.has(_id);
    const early = this.#state.insert(documents.filter(isEarly)).catch((error: unknown) => {
      throw asPlatformError(error, `state of thread ${threadId} cannot be stored`);
    });
    // Ignore a failure here. The commit reports it, and so does each event that references one of
    // these values.
    early.catch(() => undefined);
    for (const [value, key] of largeValues) this.#storing.set(value, { key, stored: early });
    return { early, inserts: documents.filter((document) => !isEarly(document)) };
  }

  #writeGroup(threadId: string, ns: string, checkpointId: string): string {
    return writeGroup(this.#options.tenant, threadId, ns, checkpointId);
  }
}
