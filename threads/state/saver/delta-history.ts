import type { Checkpoint, CheckpointPendingWrite, DeltaChannelHistory } from '@langchain/langgraph-checkpoint';
import type { StateReads } from '../state-collection.js';
import { EMPTY } from '../values/channel-values.js';
import {
  blobKey,
  bytes,
  checkpointKey,
  parseCheckpointKey,
  writeGroup,
  type StateDocument,
} from '../state-documents.js';
import type { StateSerializer } from '../values/state-serializer.js';
import type { StateValues } from '../values/state-values.js';
import { withoutPartial } from './partial-writes.js';

/** Least and greatest number of ancestors that one query reads. */
const PAGE = { min: 16, max: 1_000 };

interface DeltaSource {
  tenant: string;
  serializer: StateSerializer;
  values: StateValues;
  reads: StateReads;
}

interface Ancestor {
  /** The value of `group` in the documents of the ancestor's pending writes. */
  writes: string;
  /**
   * Keys of the ancestor's channel values, by channel. A key may have no value in the database,
   * because a `DeltaChannel` does not store its whole value at every version.
   */
  blobs: Map<string, string>;
}

/**
 * Returns the data from which LangGraph builds the values of a checkpoint's `DeltaChannel`s: for
 * each channel, its last whole value before the checkpoint (the seed) and all pending writes since.
 * Reads the checkpoint's ancestors in pages. For each page, one query reads the values and one the
 * pending writes. LangGraph's counters in the checkpoint say how many supersteps ago the whole
 * values were stored. This number plus one is the size of a page, within the limits of `PAGE`.
 */
export async function readDeltaHistory(
  source: DeltaSource,
  start: StateDocument,
  channels: string[],
): Promise<Record<string, DeltaChannelHistory>> {
  const { threadId } = parseCheckpointKey(start._id);
  const reader = new AncestorReader(source, start, channels);
  const collected = new Map<string, CheckpointPendingWrite[][]>(channels.map((channel) => [channel, []]));
  const seeds = new Map<string, unknown>();
  const open = new Set(channels);
  for (let page = await reader.next(); page.length > 0 && open.size > 0; page = await reader.next()) {
    const keys = page.flatMap(({ blobs }) => [...blobs.values()]);
    const [blobs, writes] = await Promise.all([
      source.reads.readDocuments(keys),
      source.reads.readGroups(page.map((ancestor) => ancestor.writes)),
    ]);
    const whole = new Map(blobs.filter(({ type }) => type !== EMPTY).map((blob) => [blob._id, blob]));
    const written = new Map<string, StateDocument[]>(page.map((ancestor) => [ancestor.writes, []]));
    for (const document of withoutPartial(writes)) {
      if (open.has(document.write?.channel ?? '')) written.get(document.group)?.push(document);
    }
    for (const ancestor of page) {
      const decoded = await source.values.decodeWrites(threadId, written.get(ancestor.writes) ?? []);
      for (const channel of [...open]) {
        collected.get(channel)?.push(decoded.filter(([, name]) => name === channel));
        const blob = whole.get(ancestor.blobs.get(channel) ?? '');
        if (blob === undefined) continue;
        open.delete(channel);
        const [seed] = await source.values.decode(threadId, [blob]);
        seeds.set(channel, seed?.value);
      }
    }
  }
  return Object.fromEntries(
    channels.map((channel): [string, DeltaChannelHistory] => [
      channel,
      {
        writes: (collected.get(channel) ?? []).reverse().flat(),
        ...(seeds.has(channel) && { seed: seeds.get(channel) }),
      },
    ]),
  );
}

class AncestorReader {
  readonly #known = new Map<string, StateDocument>();
  readonly #count: number;
  #next: string | undefined;

  constructor(
    private readonly source: DeltaSource,
    private readonly start: StateDocument,
    private readonly channels: string[],
  ) {
    this.#next = start.parent;
    this.#count = Math.min(PAGE.max, Math.max(PAGE.min, stepsSinceWhole(start, channels) + 1));
  }

  /**
   * Returns the next page of ancestors, nearest first. After the oldest ancestor, returns an empty
   * list.
   */
  async next(): Promise<Ancestor[]> {
    const { source } = this;
    const { tenant } = source;
    const { threadId, ns } = parseCheckpointKey(this.start._id);
    const ancestors: Ancestor[] = [];
    while (this.#next !== undefined && ancestors.length < this.#count) {
      const key = checkpointKey(tenant, threadId, ns, this.#next);
      if (!this.#known.has(key)) {
        for (const document of await source.reads.readFrom(key, this.#count)) this.#known.set(document._id, document);
      }
      const document = this.#known.get(key);
      if (document === undefined) break;
      const header = (await source.serializer.loadsTyped(document.type, bytes(document))) as Checkpoint;
      const versions = Object.entries(header.channel_versions).filter(([channel]) => this.channels.includes(channel));
      const blobs = new Map(versions.map(([name, version]) => [name, blobKey(tenant, threadId, ns, name, version)]));
      ancestors.push({ writes: writeGroup(tenant, threadId, ns, this.#next), blobs });
      this.#next = document.parent;
    }
    return ancestors;
  }
}

/**
 * Returns the number of supersteps since the whole values of these channels were stored, from
 * LangGraph's counters in the checkpoint's metadata. If the channels have different numbers,
 * returns the highest.
 */
function stepsSinceWhole({ metadata = '{}' }: StateDocument, channels: string[]): number {
  const { counters_since_delta_snapshot: counters = {} } = JSON.parse(metadata) as {
    counters_since_delta_snapshot?: Record<string, [updates: number, supersteps: number]>;
  };
  return Math.max(0, ...channels.map((channel) => counters[channel]?.[1] ?? 0));
}
