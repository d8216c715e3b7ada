import type { RunnableConfig } from '@langchain/core/runnables';
import type {
  ChannelVersions,
  Checkpoint,
  CheckpointMetadata,
  CheckpointTuple,
  PendingWrite,
} from '@langchain/langgraph-checkpoint';
import type { ClientSession } from 'mongodb';
import { decodeFence, type Fence, type Head, type NamespaceHead } from '../../../protocol/index.js';
import { asPlatformError } from '../../../database/index.js';
import type { Held } from '../values/channel-values.js';
import type { Leaf } from '../values/long-list.js';
import { MongoSaver, type SaverOptions } from './mongo-saver.js';
import type { StateCommit } from '../state-commit.js';
import type { StateCache } from './state-cache.js';
import { chunkGroup, chunkKey, writeGroup, type StateDocument } from '../state-documents.js';

/** LangGraph's step number of a thread without a checkpoint. */
const BEFORE_FIRST_STEP = -2;
const NULL_TASK_ID = '00000000-0000-0000-0000-000000000000';
const RESUME = '__resume__';
const START = '__start__';
/** How long a finished task's writes wait for the commit of their superstep, in ms, before they are saved for its siblings' sake. */
const WRITES_DELAY_MS = 3;

export interface CommitInfo {
  ns: string;
  /** LangGraph's step number of the checkpoint. */
  step: number;
}

export interface StepSaverOptions extends SaverOptions {
  threadId: string;
  runId: string;
  /** Shown with every checkpoint, and what the history is searched by. */
  runMetadata?: Record<string, unknown>;
  fence: Fence;
  /** Where the thread stands; a stale one makes the first commit fail with `fence_lost`. */
  head: Head;
  cache: StateCache;
  /**
   * Awaited by every commit of a superstep before it becomes visible: what was said about the step is stored before the step is. Answers
   * the offset of the thread's last event.
   */
  beforeCommit: () => Promise<number>;
  /** Offset of the thread's last event now. */
  tail: number;
  /** A superstep has been committed. */
  onCommit: (commit: CommitInfo) => void;
  /** Whether the graph of a namespace takes its input through an entry node of its own, which commits right after the input. */
  hasEntry: (ns: string) => boolean;
  /** An input was put: nothing of the graph has run since. */
  onInput?: () => void;
  /** Marks messages as taken, in the transaction that commits the state they are in. */
  takeInjections?: (session: ClientSession, runIds: string[]) => Promise<void>;
  /** The answer of a `Command` has been consumed by a subgraph already; do not hand it to its next question. */
  resumeConsumed?: boolean;
}

interface Piece {
  inserts: StateDocument[];
  merges: StateDocument[];
  heads: Record<string, NamespaceHead | null>;
  held: Held;
  /** What is stored before the commit is. */
  early?: Promise<void>;
  /** Messages that its state has and no earlier one. */
  injected: string[];
}

/**
 * The saver of one step activity: bound to a thread, a run and a fence. A superstep's commit is awaited; an input goes with its entry node in
 * one transaction, and writes of a task wait a moment for the superstep that they belong to.
 */
export class StepSaver extends MongoSaver {
  readonly #options: StepSaverOptions;
  readonly #run: number;
  #head: { rev: number; heads: Record<string, NamespaceHead> };
  #pending: Piece[] = [];
  #flushing: Promise<void> = Promise.resolve();
  #tail: number;
  #timer: NodeJS.Timeout | undefined;
  #timerDue = Infinity;
  #failure: { error: unknown } | undefined;
  #injecting: string[] = [];
  #steered: string | undefined;
  /** Namespaces in which a node of the graph, not just its entry, has worked since their last checkpoint. */
  readonly #worked = new Set<string>();
  /** Complete pending writes by key prefix, of checkpoints this saver made or read. */
  readonly #writes = new Map<string, StateDocument[]>();
  readonly #fresh = new Set<string>();
  readonly #storing = new WeakMap<object, { key: string; stored: Promise<void> }>();

  constructor(options: StepSaverOptions) {
    super(options);
    this.#options = options;
    this.#run = decodeFence(options.fence).run;
    this.#tail = options.tail;
    this.#head = { rev: options.head.rev, heads: { ...options.head.heads } };
  }

  /** Where the thread stands after the last commit. */
  get head(): Head {
    return { rev: this.#head.rev, fence: this.#options.fence, heads: { ...this.#head.heads } };
  }

  /** Whether a message waited for the run at the last commit. */
  get isSteered(): boolean {
    return this.#steered === this.#options.runId;
  }

  /** The next checkpoint of the root has these messages, and is no superstep of the graph. */
  inject(runIds: string[]): void {
    this.#injecting = runIds;
  }

  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    const tuple = await super.getTuple(config);
    if (tuple === undefined) return undefined;
    const isRoot = tuple.config.configurable?.checkpoint_ns === '';
    const pendingWrites = tuple.pendingWrites?.filter(
      ([task, channel]) => !(isRoot && this.#options.resumeConsumed && task === NULL_TASK_ID && channel === RESUME),
    );
    return { ...tuple, ...(pendingWrites && { pendingWrites }) };
  }

  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    const { threadId, ns } = this.address(config);
    const step = metadata.step ?? 0;
    const last = this.#head.heads[ns];
    const injected = ns === '' ? this.#injecting.splice(0) : [];
    const began = last?.run === this.#run ? last.base : (last?.step ?? BEFORE_FIRST_STEP);
    // Recursion limits count from the base.
    const base = injected.length > 0 ? began + 1 : began;
    const head: NamespaceHead = { checkpointId: checkpoint.id, run: this.#run, step, base, tail: 0 };
    const heads: Piece['heads'] = { [ns]: head, ...(ns === '' && this.#finishedSubgraphs()) };
    this.#apply(heads);
    const prefix = writeGroup(this.tenant, threadId, ns, checkpoint.id);
    this.#fresh.add(prefix);
    this.#writes.set(prefix, []);
    const { runId, runMetadata, fence } = this.#options;
    const labels = { ...runMetadata, run_id: runId, run_attempt: decodeFence(fence).attempt };
    const { documents, held } = this.encodeCheckpoint(config, checkpoint, metadata, newVersions, labels);
    for (const document of documents) this.#options.cache.set(document._id, [document]);
    const { early, inserts } = held.length > 0 ? this.#early(threadId, documents, held) : { inserts: documents };
    this.#pending.push({ inserts, merges: [], heads, held, injected, ...(early && { early }) });
    if (this.#worked.delete(ns)) {
      await this.flush(this.#options.beforeCommit());
      this.#options.onCommit({ ns, step });
    } else {
      if (ns === '') this.#options.onInput?.();
      // Ids of tasks come from the checkpoint they run on, and effects are told apart by them: it must outlive a crash before a node runs.
      const entryFollows = metadata.source === 'input' && START in newVersions && this.#options.hasEntry(ns);
      if (!entryFollows) await this.flush();
    }
    return { configurable: { thread_id: threadId, checkpoint_ns: ns, checkpoint_id: checkpoint.id } };
  }

  override async putWrites(
    config: RunnableConfig,
    writes: PendingWrite[],
    taskId: string,
    taskPath = '',
  ): Promise<void> {
    const { threadId, ns, checkpointId = '' } = this.address(config);
    if (taskId !== NULL_TASK_ID && !taskPath.endsWith(START)) this.#worked.add(ns);
    const prefix = writeGroup(this.tenant, threadId, ns, checkpointId);
    const { documents, chunks } = this.encodeWrites(config, writes, taskId, taskPath);
    for (const chunk of chunks) this.#options.cache.set(chunk._id, [chunk]);
    this.#writes.set(prefix, mergeDocuments(this.#writes.get(prefix), documents));
    const isFresh = this.#fresh.has(prefix);
    const inserts = isFresh ? [...chunks, ...documents] : chunks;
    this.#pending.push({ inserts, merges: isFresh ? [] : documents, heads: {}, held: [], injected: [] });
    // Answers and updates of a command are safe with the request until a task has worked with them.
    if (taskId !== NULL_TASK_ID) this.#schedule(WRITES_DELAY_MS);
  }

  /** Where a large live channel value is stored, or will be; undefined: nowhere, or it is not large. */
  storedValue(value: object): { key: string; stored?: Promise<void> } | undefined {
    const key = this.blobOf(value);
    return key === undefined ? this.#storing.get(value) : { key };
  }

  /** Everything put so far is committed when it resolves. Errors: `fence_lost`, or the failure of an earlier commit. */
  async flush(beforeHead?: Promise<number>): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#timerDue = Infinity;
    const before = this.#flushing;
    const own = (async () => {
      await before.catch(() => undefined);
      if (this.#failure !== undefined) throw this.#failure.error;
      await this.#commitPending(beforeHead);
    })();
    this.#flushing = own;
    // Whoever awaits `beforeHead` only through a commit that failed earlier must not leave a rejection unheard.
    beforeHead?.catch(() => undefined);
    await own;
  }

  /** Keeps what the next go of the graph on this worker will ask for. Call after the last flush of one: its graph has ended. */
  remember(): void {
    const { cache, threadId } = this.#options;
    for (const leaf of this.channels.release().flatMap((list) => list.leaves)) {
      // One that this step made is read as everybody else reads it: its elements may hold more than what is stored of them.
      if (leaf.isDecoded) cache.keepLeaf(chunkKey(this.tenant, threadId, leaf.id), leaf);
    }
    for (const [ns, head] of Object.entries(this.#head.heads)) {
      const prefix = writeGroup(this.tenant, this.#options.threadId, ns, head.checkpointId);
      const writes = this.#writes.get(prefix);
      if (writes !== undefined) this.#options.cache.set(this.#writesKey(prefix, this.#head.rev), writes);
    }
  }

  protected override get sharesChunks(): boolean {
    return true; // each commit is for the revision that was read
  }

  protected override takeLeaf(key: string): Leaf | undefined {
    return this.#options.cache.takeLeaf(key);
  }

  protected override async newest(threadId: string, ns: string): Promise<string | undefined> {
    const head = this.#head.heads[ns];
    if (head !== undefined) return head.checkpointId;
    // Every commit of the root moves its head; only what is known of subgraphs is forgotten.
    if (ns === '') return undefined;
    // A subgraph of a checkpoint that this run made has a name nobody can have used before.
    const parent = ns.includes('|') ? ns.slice(0, ns.lastIndexOf('|')) : '';
    if (ns.includes(':') && this.#head.heads[parent]?.run === this.#run) return undefined;
    return this.highest(threadId, ns);
  }

  /** What is known of a run is for the history; LangGraph would stream it as if the graph had said it. */
  protected override metadataOf({ labels: _labels, ...document }: StateDocument): Promise<CheckpointMetadata> {
    return super.metadataOf(document);
  }

  protected override async commit(threadId: string, commit: StateCommit): Promise<string | undefined> {
    return this.#ours('stored', super.commit(threadId, commit));
  }

  protected override highest(threadId: string, ns: string): Promise<string | undefined> {
    return this.#ours('read', super.highest(threadId, ns));
  }

  protected override async readDocument(key: string): Promise<StateDocument | undefined> {
    const [cached] = this.#options.cache.get(key) ?? [];
    if (cached !== undefined) return cached;
    const document = await this.#ours('read', super.readDocument(key));
    if (document !== undefined) this.#options.cache.set(key, [document]);
    return document;
  }

  protected override async readDocuments(keys: string[]): Promise<StateDocument[]> {
    const cached = keys.flatMap((key) => this.#options.cache.get(key) ?? []);
    const have = new Set(cached.map((document) => document._id));
    const read = await this.#ours('read', super.readDocuments(keys.filter((key) => !have.has(key))));
    for (const document of read) this.#options.cache.set(document._id, [document]);
    return [...cached, ...read];
  }

  protected override async readGroup(prefix: string): Promise<StateDocument[]> {
    const known = this.#writes.get(prefix) ?? this.#options.cache.get(this.#writesKey(prefix, this.#options.head.rev));
    const writes = known ?? (await this.#ours('read', super.readGroup(prefix)));
    this.#writes.set(prefix, writes);
    return writes;
  }

  async #take(session: ClientSession, runIds: string[]): Promise<void> {
    await this.#options.takeInjections?.(session, runIds);
  }

  protected override async readGroups(groups: string[]): Promise<StateDocument[]> {
    const unknown = groups.filter((group) => !this.#writes.has(group));
    const read = unknown.length === 0 ? [] : await this.#ours('read', super.readGroups(unknown));
    return [...groups.flatMap((group) => this.#writes.get(group) ?? []), ...read];
  }

  /** What this worker made itself is kept, and need not be there yet. */
  protected override async readFrom(key: string, count: number): Promise<StateDocument[]> {
    const cached = this.#options.cache.get(key);
    if (cached !== undefined) return cached;
    const read = await this.#ours('read', super.readFrom(key, count));
    for (const document of read) this.#options.cache.set(document._id, [document]);
    return read;
  }

  #ours<T>(done: string, work: Promise<T>): Promise<T> {
    return work.catch((error: unknown) => {
      throw asPlatformError(error, `state of thread ${this.#options.threadId} cannot be ${done}`);
    });
  }

  /** Large values are stored at once, so that events can refer to them; their commit, which waits for events, then only names them. */
  #early(threadId: string, documents: StateDocument[], held: Held): { early: Promise<void>; inserts: StateDocument[] } {
    const keys = new Set(held.map(([, key]) => key));
    const chunks = chunkGroup(this.tenant, threadId);
    const isEarly = ({ _id, group }: StateDocument) => group === chunks || keys.has(_id);
    const early = this.#ours('stored', this.store(documents.filter(isEarly)));
    // The commit tells of a failure, and so does each event that refers to one of these.
    early.catch(() => undefined);
    for (const [value, key] of held) this.#storing.set(value, { key, stored: early });
    return { early, inserts: documents.filter((document) => !isEarly(document)) };
  }

  #writesKey(prefix: string, rev: number): string {
    return `${prefix}@${rev}`;
  }

  /** Once the root has moved on, subgraphs of tasks of its last checkpoint are never resumed: forget where they stood. */
  #finishedSubgraphs(): Record<string, null> {
    const names = Object.keys(this.#head.heads).filter((ns) => ns.includes(':'));
    return Object.fromEntries(names.map((ns) => [ns, null]));
  }

  #apply(heads: Piece['heads']): void {
    for (const [ns, head] of Object.entries(heads)) {
      if (head === null) delete this.#head.heads[ns];
      else this.#head.heads[ns] = head;
    }
  }

  #schedule(delayMs: number): void {
    const due = performance.now() + delayMs;
    if (due >= this.#timerDue) return;
    clearTimeout(this.#timer);
    this.#timerDue = due;
    this.#timer = setTimeout(() => void this.flush().catch(() => undefined), delayMs);
  }

  async #commitPending(beforeHead: Promise<number> | undefined): Promise<void> {
    const pieces = this.#pending.splice(0);
    if (pieces.length === 0) {
      await beforeHead;
      return;
    }
    const inserts = unique(pieces.flatMap((piece) => piece.inserts));
    const injected = pieces.flatMap((piece) => piece.injected);
    const heads = Object.assign({}, ...pieces.map((piece) => piece.heads)) as Piece['heads'];
    const head = async () => {
      await Promise.all(pieces.flatMap(({ early }) => early ?? []));
      this.#tail = (await beforeHead) ?? this.#tail;
      for (const moved of Object.values(heads)) if (moved !== null) moved.tail = this.#tail;
      return { heads, fence: this.#options.fence, rev: this.#head.rev };
    };
    try {
      this.#steered = await this.commit(this.#options.threadId, {
        inserts,
        merges: pieces.flatMap((piece) => piece.merges),
        ...(injected.length > 0 && { beside: (session) => this.#take(session, injected) }),
        head,
      });
      this.#head.rev += 1;
      this.channels.committed(pieces.flatMap(({ held }) => held));
    } catch (error) {
      this.#failure = { error };
      throw error;
    }
  }
}

/** A task may write twice to one checkpoint (an answer, then its result): the later write of a key counts. */
function unique(documents: StateDocument[]): StateDocument[] {
  return [...new Map(documents.map((document) => [document._id, document])).values()];
}

function mergeDocuments(old: StateDocument[] = [], added: StateDocument[]): StateDocument[] {
  return unique([...old, ...added]);
}
