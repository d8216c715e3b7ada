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
  chunksOf,
  parseCheckpointKey,
  prefixRange,
  writeGroup,
  writeGroups,
  type StateDocument,
} from './state-documents.js';

/** Documents removed at once. */
const BATCH = 500;
/** Checkpoints that get too old one after another go together: the first of them so much of its age late. */
const LATE = 0.1;

/**
 * Takes away the checkpoints that a thread's newest state does not stand on, with their values and pending writes. A run may work on the
 * thread meanwhile: what is not there yet when this begins is not looked at, and values go only after the thread's revision has moved, so that
 * an edit which still stands on an old checkpoint fails instead of committing. Idempotent.
 */
export async function keepLatest(options: { client: MongoClient; db: Db; tenant: string }, threadId: string) {
  await new Pruner(options, threadId).keepLatest();
}

/**
 * Takes away the older checkpoints that a policy does not keep, as {@link keepLatest} does. What the newest state stands on stays, and so does what
 * subgraphs had when a kept checkpoint was made. Answers when the next ones are too old; undefined: none that is left ever is.
 */
export async function thinState(
  options: { client: MongoClient; db: Db; tenant: string },
  threadId: string,
  policy: ThinningPolicy,
  { now = new Date(), isIdle = () => Promise.resolve(true) }: ThinningOptions = {},
): Promise<Date | undefined> {
  return new Pruner(options, threadId).thin(policy, now, isIdle);
}

interface Dated {
  key: string;
  ns: string;
  id: string;
  run: unknown;
  /** Of the root, when a subgraph made this one. */
  root: string | undefined;
  at: number;
}

/** Keys of what a thread has. */
interface Listed {
  checkpoints: string[];
  values: string[];
  writes: string[];
  chunks: string[];
}

/** Keys of the checkpoints that a policy keeps. */
function wanted({ last, lastOfRuns, maxAgeMs }: ThinningPolicy, all: Dated[], now: Date): string[] {
  const young = all.filter(({ at }) => maxAgeMs === undefined || at >= now.getTime() - maxAgeMs);
  const roots = young.filter(({ ns }) => ns === '').sort((a, b) => (a.id < b.id ? 1 : -1));
  const runs = new Set<unknown>();
  const kept = roots.filter(({ run }, index) => {
    const isLastOfRun = run !== undefined && !runs.has(run);
    runs.add(run);
    if (last === undefined && lastOfRuns !== true) return true;
    return index < (last ?? 0) || (lastOfRuns === true && isLastOfRun);
  });
  const ids = new Set<string | undefined>(kept.map(({ id }) => id));
  return [...kept, ...young.filter(({ ns, root }) => ns !== '' && ids.has(root))].map(({ key }) => key);
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
    const there = await this.#listed();
    const kept = await this.#standsOn(await this.#newest());
    await this.#keep(kept, there);
  }

  async thin(policy: ThinningPolicy, now: Date, isIdle: () => Promise<boolean>): Promise<Date | undefined> {
    // A run that begins from here on may be rolled back to what is newest now.
    const before = await this.#newest();
    if (!(await isIdle())) return undefined;
    const there = await this.#listed();
    const dated = await this.#dates(there.checkpoints);
    const needed = await this.#standsOn([...before, ...(await this.#newest())]);
    const kept = new Set([...needed, ...(await this.#standsOn(wanted(policy, dated, now)))]);
    if (there.checkpoints.some((key) => !kept.has(key))) await this.#keep(kept, there);
    const ages = dated.flatMap(({ key, at }) => (kept.has(key) && !needed.has(key) ? [at] : []));
    if (policy.maxAgeMs === undefined || ages.length === 0) return undefined;
    return new Date(ages.reduce((oldest, at) => Math.min(oldest, at)) + policy.maxAgeMs * (1 + LATE));
  }

  async #listed(): Promise<Listed> {
    const { threadId } = this;
    const tenant = this.#tenant;
    const checkpoints = await this.#state.findKeys(this.#checkpoints());
    const values = await this.#state.findKeys({ group: blobGroup(tenant, threadId) });
    const writes = await this.#state.findKeys({ group: prefixRange(writeGroups(tenant, threadId)) });
    const chunks = await this.#state.findKeys({ group: chunkGroup(tenant, threadId) });
    return { checkpoints, values, writes, chunks };
  }

  /** Keys of the checkpoints that heads name. */
  async #newest(): Promise<string[]> {
    const { heads } = await this.#heads.readHead(this.#tenant, this.threadId);
    return Object.entries(heads).map(([ns, head]) => this.#key(ns, head.checkpointId));
  }

  /** Of what was listed, takes away all other checkpoints, and what nothing needs then. */
  async #keep(kept: Set<string>, { checkpoints, values, writes, chunks }: Listed): Promise<void> {
    await this.#state.remove(checkpoints.filter((key) => !kept.has(key)));
    await this.#state.moveHead(this.threadId, { heads: {} });
    const left = await this.#needed(this.#state.find(this.#checkpoints()));
    await this.#state.remove(values.filter((key) => !left.values.has(key)));
    await this.#state.remove(writes.filter((key) => !left.writes.some((group) => key.startsWith(group))));
    const named = await this.#chunksOfAll();
    await this.#state.remove(chunks.filter((key) => !named.has(key)));
  }

  #checkpoints(): Filter<StateDocument> {
    return { group: prefixRange(checkpointGroup(this.#tenant, this.threadId)) };
  }

  /** Keys of the chunks that values and writes are put together from. What a commit before its end has stored is named by nothing yet. */
  async #chunksOfAll(): Promise<Set<string>> {
    const { threadId } = this;
    const tenant = this.#tenant;
    const named = new Set<string>();
    const groups = [{ group: blobGroup(tenant, threadId) }, { group: prefixRange(writeGroups(tenant, threadId)) }];
    const composed = [{ list: { $exists: true } }, { parts: { $exists: true } }];
    for (const filter of groups.flatMap((group) => composed.map((kind) => ({ ...group, ...kind })))) {
      for await (const document of this.#state.findReferences(filter)) {
        for (const id of chunksOf(document)) named.add(chunkKey(tenant, threadId, id));
      }
    }
    for (let row = [...named]; row.length > 0; ) {
      const below: string[] = [];
      for (let next = 0; next < row.length; next += BATCH) {
        const page = { _id: { $in: row.slice(next, next + BATCH) } };
        for await (const document of this.#state.findReferences(page)) below.push(...chunksOf(document));
      }
      row = below.map((id) => chunkKey(tenant, threadId, id)).filter((key) => !named.has(key));
      for (const key of row) named.add(key);
    }
    return named;
  }

  async #dates(keys: string[]): Promise<Dated[]> {
    const all: Dated[] = [];
    for (let next = 0; next < keys.length; next += BATCH) {
      const page = await this.#state.readDocuments(keys.slice(next, next + BATCH));
      all.push(...(await Promise.all(page.map((document) => this.#dated(document)))));
    }
    return all;
  }

  async #dated(document: StateDocument): Promise<Dated> {
    const { ns, id } = parseCheckpointKey(document._id);
    const { ts } = await this.#codec.decodeHeader(document);
    const metadata = (await this.#codec.metadataOf(document)) as CheckpointMetadata & { run_id?: unknown };
    return { key: document._id, ns, id, run: metadata.run_id, root: metadata.parents?.[''], at: Date.parse(ts) };
  }

  /** Keys of these checkpoints, and of those that hold a part of their values. */
  async #standsOn(keys: string[]): Promise<Set<string>> {
    const kept = new Set<string>();
    for (const start of keys) {
      let key = start;
      let document = await this.#state.readDocument(key);
      const open = new Set(document === undefined ? [] : await this.#deltaChannels(document));
      while (document !== undefined) {
        kept.add(key);
        for (const channel of await this.#ownValues(document, open)) open.delete(channel);
        if (open.size === 0 || document.parent === undefined) break;
        key = this.#key(parseCheckpointKey(start).ns, document.parent);
        document = await this.#state.readDocument(key);
      }
    }
    return kept;
  }

  /** Channels that LangGraph puts together from the writes of earlier checkpoints. */
  async #deltaChannels(document: StateDocument): Promise<string[]> {
    const metadata = (await this.#codec.metadataOf(document)) as CheckpointMetadata & {
      counters_since_delta_snapshot?: Record<string, unknown>;
    };
    return Object.keys(metadata.counters_since_delta_snapshot ?? {});
  }

  /** Those of the channels whose whole value the checkpoint has. */
  async #ownValues(document: StateDocument, channels: Set<string>): Promise<string[]> {
    if (channels.size === 0) return [];
    const { ns } = parseCheckpointKey(document._id);
    const versions = await this.#versions(document);
    const wanted = [...channels].flatMap((channel) => {
      const version = versions[channel];
      return version === undefined ? [] : [[this.#valueKey(ns, channel, version), channel] as const];
    });
    const blobs = await this.#state.readDocuments(wanted.map(([key]) => key));
    const whole = new Set(blobs.filter(({ type }) => type !== EMPTY).map(({ _id }) => _id));
    return wanted.filter(([key]) => whole.has(key)).map(([, channel]) => channel);
  }

  /** What these checkpoints need: keys of values, groups of writes. */
  async #needed(documents: AsyncIterable<StateDocument>): Promise<{ values: Set<string>; writes: string[] }> {
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
