import type { Db, Filter, MongoClient } from 'mongodb';
import type { Checkpoint, CheckpointMetadata } from '@langchain/langgraph-checkpoint';
import { EMPTY } from './values/channel-values.js';
import type { ThinningOptions, ThinningPolicy } from './ports.js';
import { CheckpointCodec } from './saver/checkpoint-codec.js';
import { StateCollection } from './state-collection.js';
import { MongoHeads } from './mongo-heads.js';
import {
  blobGroup,
  blobKey,
  checkpointGroup,
  checkpointKey,
  chunkGroup,
  chunkKey,
  chunkIdsOf,
  parseCheckpointKey,
  prefixRange,
  writeGroup,
  writeGroups,
  type StateDocument,
} from './state-documents.js';

/** Maximum number of documents per query. */
const BATCH = 500;
/**
 * Time for which thinning (the removal of checkpoints by a policy) waits after the oldest
 * checkpoint has become too old, as a fraction of `maxAgeMs`. By then, more checkpoints have become
 * too old, and all of them are removed together.
 */
const DELAY_FRACTION = 0.1;

/**
 * Removes the checkpoints that a thread's newest state does not need, with their values and pending
 * writes. A run may be active meanwhile. What the run stores after the start of this call is kept.
 * Raises the thread's revision before it removes values. A step or an edit that began earlier
 * expects the old revision, so its next commit fails with `fence_lost`, and no commit references a
 * removed value. Temporal then starts the next attempt of the step. Idempotent.
 */
export async function keepLatest(options: { client: MongoClient; db: Db; tenant: string }, threadId: string) {
  await new Pruner(options, threadId).keepLatest();
}

/**
 * Removes the older checkpoints that a policy does not keep, with their values and pending writes.
 * The checkpoints that the newest state needs always stay. If the policy keeps a root checkpoint,
 * the checkpoints of its subgraphs stay too. If a run is active, removes nothing. Returns the time
 * at which the thread should be thinned again. Returns undefined if a run is active, or if no
 * remaining checkpoint will become too old.
 */
export async function thinState(
  options: { client: MongoClient; db: Db; tenant: string },
  threadId: string,
  policy: ThinningPolicy,
  { now = new Date(), isIdle = () => Promise.resolve(true) }: ThinningOptions = {},
): Promise<Date | undefined> {
  return new Pruner(options, threadId).thin(policy, now, isIdle);
}

interface DatedCheckpoint {
  key: string;
  ns: string;
  id: string;
  run: unknown;
  /** For a checkpoint of a subgraph: id of the root checkpoint at which the subgraph ran. */
  root: string | undefined;
  /** Creation time, in ms since the epoch. */
  createdAt: number;
}

/** Keys of a thread's documents, in one list for each kind of document. */
interface ThreadKeys {
  checkpoints: string[];
  values: string[];
  writes: string[];
  chunks: string[];
}

/** Returns the keys of the checkpoints that a policy keeps. */
function keptByPolicy({ last, lastOfRuns, maxAgeMs }: ThinningPolicy, all: DatedCheckpoint[], now: Date): string[] {
  const recent = all.filter(({ createdAt }) => maxAgeMs === undefined || createdAt >= now.getTime() - maxAgeMs);
  const roots = recent.filter(({ ns }) => ns === '').sort((a, b) => (a.id < b.id ? 1 : -1));
  const runs = new Set<unknown>();
  const kept = roots.filter(({ run }, index) => {
    const isLastOfRun = run !== undefined && !runs.has(run);
    runs.add(run);
    if (last === undefined && lastOfRuns !== true) return true;
    return index < (last ?? 0) || (lastOfRuns === true && isLastOfRun);
  });
  const ids = new Set<string | undefined>(kept.map(({ id }) => id));
  return [...kept, ...recent.filter(({ ns, root }) => ns !== '' && ids.has(root))].map(({ key }) => key);
}

class Pruner {
  readonly #heads: MongoHeads;
  readonly #state: StateCollection;
  readonly #codec: CheckpointCodec;

  readonly #tenant: string;

  constructor(
    { client, db, tenant }: { client: MongoClient; db: Db; tenant: string },
    private readonly threadId: string,
  ) {
    this.#tenant = tenant;
    this.#heads = new MongoHeads(db);
    this.#state = new StateCollection({ client, db }, tenant, this.#heads);
    this.#codec = new CheckpointCodec({ tenant, reads: this.#state, sharesChunks: false });
  }

  async keepLatest(): Promise<void> {
    const listed = await this.#listKeys();
    const kept = await this.#withAncestors(await this.#headCheckpoints());
    await this.#removeOthers(kept, listed);
  }

  async thin(policy: ThinningPolicy, now: Date, isIdle: () => Promise<boolean>): Promise<Date | undefined> {
    // Read the head (the newest checkpoints) before the check for active runs. A run that starts
    // after the check may be rolled back to these checkpoints, so they must stay.
    const before = await this.#headCheckpoints();
    if (!(await isIdle())) return undefined;
    const listed = await this.#listKeys();
    const dated = await this.#readDates(listed.checkpoints);
    const needed = await this.#withAncestors([...before, ...(await this.#headCheckpoints())]);
    const kept = new Set([...needed, ...(await this.#withAncestors(keptByPolicy(policy, dated, now)))]);
    if (listed.checkpoints.some((key) => !kept.has(key))) await this.#removeOthers(kept, listed);
    const times = dated.flatMap(({ key, createdAt }) => (kept.has(key) && !needed.has(key) ? [createdAt] : []));
    if (policy.maxAgeMs === undefined || times.length === 0) return undefined;
    return new Date(times.reduce((oldest, time) => Math.min(oldest, time)) + policy.maxAgeMs * (1 + DELAY_FRACTION));
  }

  async #listKeys(): Promise<ThreadKeys> {
    const { threadId } = this;
    const tenant = this.#tenant;
    const checkpoints = await this.#state.findKeys(this.#checkpointFilter());
    const values = await this.#state.findKeys({ group: blobGroup(tenant, threadId) });
    const writes = await this.#state.findKeys({ group: prefixRange(writeGroups(tenant, threadId)) });
    const chunks = await this.#state.findKeys({ group: chunkGroup(tenant, threadId) });
    return { checkpoints, values, writes, chunks };
  }

  /** Returns the keys of the thread's newest checkpoints: one for each namespace in the head. */
  async #headCheckpoints(): Promise<string[]> {
    const { heads } = await this.#heads.readHead(this.#tenant, this.threadId);
    return Object.entries(heads).map(([ns, head]) => this.#key(ns, head.checkpointId));
  }

  /**
   * Removes the listed checkpoints that are not in `kept`. Then removes the listed values, pending
   * writes and chunks that no stored checkpoint needs any more.
   */
  async #removeOthers(kept: Set<string>, { checkpoints, values, writes, chunks }: ThreadKeys): Promise<void> {
    await this.#state.remove(checkpoints.filter((key) => !kept.has(key)));
    await this.#state.moveHead(this.threadId, { heads: {} });
    const referenced = await this.#references(this.#state.find(this.#checkpointFilter()));
    await this.#state.remove(values.filter((key) => !referenced.values.has(key)));
    await this.#state.remove(writes.filter((key) => !referenced.writes.some((group) => key.startsWith(group))));
    const referencedChunks = await this.#referencedChunks();
    await this.#state.remove(chunks.filter((key) => !referencedChunks.has(key)));
  }

  #checkpointFilter(): Filter<StateDocument> {
    return { group: prefixRange(checkpointGroup(this.#tenant, this.threadId)) };
  }

  /**
   * Returns the keys of the chunks that stored values and pending writes reference, directly or
   * through other chunks. Does not return the new chunks of a commit that has not ended yet. If
   * `#removeOthers` removes such a chunk, the commit fails, because the revision is already raised.
   */
  async #referencedChunks(): Promise<Set<string>> {
    const { threadId } = this;
    const tenant = this.#tenant;
    const referenced = new Set<string>();
    const groups = [{ group: blobGroup(tenant, threadId) }, { group: prefixRange(writeGroups(tenant, threadId)) }];
    const composed = [{ list: { $exists: true } }, { parts: { $exists: true } }];
    for (const filter of groups.flatMap((group) => composed.map((kind) => ({ ...group, ...kind })))) {
      for await (const document of this.#state.findReferences(filter)) {
        for (const id of chunkIdsOf(document)) referenced.add(chunkKey(tenant, threadId, id));
      }
    }
    for (let row = [...referenced]; row.length > 0; ) {
      const below: string[] = [];
      for (let next = 0; next < row.length; next += BATCH) {
        const page = { _id: { $in: row.slice(next, next + BATCH) } };
        for await (const document of this.#state.findReferences(page)) below.push(...chunkIdsOf(document));
      }
      row = below.map((id) => chunkKey(tenant, threadId, id)).filter((key) => !referenced.has(key));
      for (const key of row) referenced.add(key);
    }
    return referenced;
  }

  async #readDates(keys: string[]): Promise<DatedCheckpoint[]> {
    const all: DatedCheckpoint[] = [];
    for (let next = 0; next < keys.length; next += BATCH) {
      const page = await this.#state.readDocuments(keys.slice(next, next + BATCH));
      all.push(...(await Promise.all(page.map((document) => this.#readDate(document)))));
    }
    return all;
  }

  async #readDate(document: StateDocument): Promise<DatedCheckpoint> {
    const { ns, id } = parseCheckpointKey(document._id);
    const { ts } = await this.#codec.decodeHeader(document);
    const metadata = (await this.#codec.metadataOf(document)) as CheckpointMetadata & { run_id?: unknown };
    const root = metadata.parents?.[''];
    return { key: document._id, ns, id, run: metadata.run_id, root, createdAt: Date.parse(ts) };
  }

  /**
   * Returns the given checkpoint keys and the keys of the ancestors that these checkpoints need for
   * their `DeltaChannel`s. LangGraph builds the value of a `DeltaChannel` from the last ancestor
   * that stores its whole value, and from all pending writes since.
   */
  async #withAncestors(keys: string[]): Promise<Set<string>> {
    const kept = new Set<string>();
    for (const start of keys) {
      let key = start;
      let document = await this.#state.readDocument(key);
      const open = new Set(document === undefined ? [] : await this.#deltaChannels(document));
      while (document !== undefined) {
        kept.add(key);
        for (const channel of await this.#channelsWithValue(document, open)) open.delete(channel);
        if (open.size === 0 || document.parent === undefined) break;
        key = this.#key(parseCheckpointKey(start).ns, document.parent);
        document = await this.#state.readDocument(key);
      }
    }
    return kept;
  }

  /**
   * Returns the names of a checkpoint's `DeltaChannel`s. LangGraph builds their values from the
   * pending writes of earlier checkpoints.
   */
  async #deltaChannels(document: StateDocument): Promise<string[]> {
    const metadata = (await this.#codec.metadataOf(document)) as CheckpointMetadata & {
      counters_since_delta_snapshot?: Record<string, unknown>;
    };
    return Object.keys(metadata.counters_since_delta_snapshot ?? {});
  }

  /** Returns those of the given channels whose whole value is stored for this checkpoint. */
  async #channelsWithValue(document: StateDocument, channels: Set<string>): Promise<string[]> {
    if (channels.size === 0) return [];
    const { ns } = parseCheckpointKey(document._id);
    const versions = await this.#versions(document);
    const candidates = [...channels].flatMap((channel) => {
      const version = versions[channel];
      return version === undefined ? [] : [[this.#valueKey(ns, channel, version), channel] as const];
    });
    const blobs = await this.#state.readDocuments(candidates.map(([key]) => key));
    const whole = new Set(blobs.filter(({ type }) => type !== EMPTY).map(({ _id }) => _id));
    return candidates.filter(([key]) => whole.has(key)).map(([, channel]) => channel);
  }

  /**
   * Returns what these checkpoints reference: the keys of their channel values and, for each
   * checkpoint, the `group` of its pending writes. The keys of these pending writes start with the
   * `group`.
   */
  async #references(documents: AsyncIterable<StateDocument>): Promise<{ values: Set<string>; writes: string[] }> {
    const values = new Set<string>();
    const writes: string[] = [];
    for await (const document of documents) {
      const { ns, id } = parseCheckpointKey(document._id);
      for (const [channel, version] of Object.entries(await this.#versions(document))) {
        values.add(this.#valueKey(ns, channel, version));
      }
      writes.push(writeGroup(this.#tenant, this.threadId, ns, id));
    }
    return { values, writes };
  }

  async #versions(document: StateDocument): Promise<Checkpoint['channel_versions']> {
    return (await this.#codec.decodeHeader(document)).channel_versions;
  }

  #key(ns: string, id: string): string {
    return checkpointKey(this.#tenant, this.threadId, ns, id);
  }

  #valueKey(ns: string, channel: string, version: string | number): string {
    return blobKey(this.#tenant, this.threadId, ns, channel, version);
  }
}
