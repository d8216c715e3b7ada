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

/** Ancestors read at once: at least, and at most. */
const PAGE = { least: 16, most: 1_000 };

export interface DeltaSource {
  tenant: string;
  serializer: StateSerializer;
  values: StateValues;
  reads: StateReads;
}

interface Ancestor {
  writes: string;
  /** Key of the value of each channel, where it has one of that version. */
  blobs: Map<string, string>;
}

/**
 * What LangGraph puts the values of `DeltaChannel`s of a checkpoint together from: the last whole value before it, and all writes since. Ancestors
 * are read in a page as long as the checkpoint says they are, then their values and writes at once.
 */
export async function readDeltaHistory(
  source: DeltaSource,
  start: StateDocument,
  channels: string[],
): Promise<Record<string, DeltaChannelHistory>> {
  const { threadId } = parseCheckpointKey(start._id);
  const reading = new AncestorReading(source, start, channels);
  const collected = new Map<string, CheckpointPendingWrite[][]>(channels.map((channel) => [channel, []]));
  const seeds = new Map<string, unknown>();
  const open = new Set(channels);
  for (let page = await reading.next(); page.length > 0 && open.size > 0; page = await reading.next()) {
    const keys = page.flatMap(({ blobs }) => [...blobs.values()]);
    const [blobs, writes] = await Promise.all([
      source.reads.readDocuments(keys),
      source.reads.readGroups(page.map((one) => one.writes)),
    ]);
    const whole = new Map(blobs.filter(({ type }) => type !== EMPTY).map((blob) => [blob._id, blob]));
    const written = new Map<string, StateDocument[]>(page.map((one) => [one.writes, []]));
    for (const document of writes) {
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

class AncestorReading {
  readonly #known = new Map<string, StateDocument>();
  readonly #count: number;
  #next: string | undefined;

  constructor(
    private readonly source: DeltaSource,
    private readonly start: StateDocument,
    private readonly channels: string[],
  ) {
    this.#next = start.parent;
    this.#count = Math.min(PAGE.most, Math.max(PAGE.least, stepsSinceWhole(start, channels) + 1));
  }

  /** The next ancestors, nearest first; none at the root. */
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
      const rest = (await source.serializer.loadsTyped(document.type, bytes(document))) as Checkpoint;
      const versions = Object.entries(rest.channel_versions).filter(([channel]) => this.channels.includes(channel));
      const blobs = new Map(versions.map(([name, version]) => [name, blobKey(tenant, threadId, ns, name, version)]));
      ancestors.push({ writes: writeGroup(tenant, threadId, ns, this.#next), blobs });
      this.#next = document.parent;
    }
    return ancestors;
  }
}

/** Supersteps since the whole value of the channels was stored, as LangGraph counts them. */
function stepsSinceWhole({ metadata = '{}' }: StateDocument, channels: string[]): number {
  const { counters_since_delta_snapshot: counters = {} } = JSON.parse(metadata) as {
    counters_since_delta_snapshot?: Record<string, [updates: number, supersteps: number]>;
  };
  return Math.max(0, ...channels.map((channel) => counters[channel]?.[1] ?? 0));
}
