import {
  DeltaSnapshot,
  compareWritesSortKeys,
  isDeltaSnapshot,
  writesSortKey,
  type CheckpointPendingWrite,
} from '@langchain/langgraph-checkpoint';
import { ColloquyError } from '../../../protocol/index.js';
import { newChunkId } from './list-tree.js';
import { encodeList, markLeaf, type Leaf, type LongList } from './long-list.js';
import { bytes, chunkGroup, chunkKey, type StateDocument } from '../state-documents.js';
import type { StateSerializer } from './state-serializer.js';
import type { ValueTexts } from './value-texts.js';

/** A value over this is put beside the document that names it, so that a commit stays small: in parts, as a document ends at 16 MB. */
const LARGE_BYTES = 1024 * 1024;
const PART_BYTES = 8 * 1024 * 1024;

/** Type tags of chunks and values that are no serializer's. */
const NODE = 'node';
const PART = 'part';
/** Elements of a list that is the whole value of a LangGraph `DeltaChannel`. */
const DELTA = 'delta';

type Fields = Pick<StateDocument, 'type' | 'data' | 'list' | 'parts'>;

export interface EncodedValue {
  fields: Fields;
  /** What the fields name; none of it is there yet. */
  chunks: StateDocument[];
  /** For a long list. */
  list?: LongList;
}

export interface DecodedValue {
  value: unknown;
  /** For a long list. */
  list?: LongList;
}

export interface ChunkSource {
  /** Chunks by key, in any order. */
  read: (keys: string[]) => Promise<StateDocument[]>;
  /** A leaf that is kept decoded, handed out for good; undefined: it must be read. */
  take: (key: string) => Leaf | undefined;
}

/** Stands for a leaf that need not be read. */
const WRITTEN: Leaf = { id: '', size: 0, elements: [], marks: [], isDecoded: false };

interface Wanted {
  id: string;
  /** `-1`: a part, `0`: a leaf. */
  height: number;
}

/**
 * How values are stored. Most are one document. A long list shares its chunks with its older versions, so that a version costs what it changed;
 * a large value lies in parts, so that it has no limit.
 */
export class StateValues {
  constructor(
    private readonly tenant: string,
    private readonly serializer: StateSerializer,
    private readonly source: ChunkSource,
  ) {}

  /** Encodes before it returns: what a graph does to the value afterwards is not in it. `base`: the list of an older version. */
  encode(threadId: string, value: unknown, base?: LongList): EncodedValue {
    const elements = isDeltaSnapshot(value) ? value.value : value;
    if (!Array.isArray(elements)) return this.#whole(threadId, value);
    const list = encodeList(elements, base, (element) => this.serializer.element(element));
    if (list === undefined || (list.leaves.length === 0 && elements !== value)) return this.#whole(threadId, value);
    if (list.leaves.length === 0) return { fields: { type: 'json', data: list.tail }, chunks: [] };
    const chunks: StateDocument[] = [];
    for (const { id, data } of list.fresh) {
      const { fields, chunks: parts } = this.#split(threadId, 'json', data);
      chunks.push(...parts, this.#chunk(threadId, id, fields));
    }
    for (const { id, children } of list.tree.made) {
      chunks.push(this.#chunk(threadId, id, { type: NODE, data: new Uint8Array(), list: [children] }));
    }
    const type = elements === value ? 'json' : DELTA;
    return { fields: { type, data: list.tail, list: list.tree.levels }, chunks, list };
  }

  #whole(threadId: string, value: unknown): EncodedValue {
    const { type, data } = this.serializer.dumps(value);
    return this.#split(threadId, type, data);
  }

  #split(threadId: string, type: string, data: Uint8Array): EncodedValue {
    if (data.length <= LARGE_BYTES) return { fields: { type, data }, chunks: [] };
    const chunks: StateDocument[] = [];
    const parts: string[] = [];
    for (let at = 0; at < data.length; at += PART_BYTES) {
      const id = newChunkId();
      parts.push(id);
      chunks.push(this.#chunk(threadId, id, { type: PART, data: data.subarray(at, at + PART_BYTES) }));
    }
    return { fields: { type, data: new Uint8Array(), parts }, chunks };
  }

  #chunk(threadId: string, id: string, fields: Fields): StateDocument {
    return { _id: chunkKey(this.tenant, threadId, id), group: chunkGroup(this.tenant, threadId), ...fields };
  }

  /** The values of documents, in their order. `isTracked`: leaves are marked, as a base for the next version. */
  async decode(threadId: string, documents: StateDocument[], isTracked = false): Promise<DecodedValue[]> {
    const reading = new ChunkReading(this.tenant, threadId, this.source);
    await reading.read(documents);
    const leaf = async (id: string): Promise<Leaf> => {
      const kept = reading.leaf(id);
      if (kept !== undefined) return kept;
      const { type, data } = reading.whole(reading.chunk(id));
      const elements = (await this.serializer.loadsTyped(type, data)) as unknown[];
      return isTracked
        ? markLeaf(id, data.length, elements, true)
        : { id, size: data.length, elements, marks: [], isDecoded: true };
    };
    return Promise.all(
      documents.map(async (document): Promise<DecodedValue> => {
        const { type, data } = reading.whole(document);
        if (document.list === undefined) return { value: await this.serializer.loadsTyped(type, data) };
        const { ids, nodes } = reading.tree(document.list);
        const leaves = await Promise.all(ids.map(leaf));
        const tail = (await this.serializer.loadsTyped('json', data)) as unknown[];
        const elements = [...leaves.map((one) => one.elements), tail].flat();
        return { value: type === DELTA ? new DeltaSnapshot(elements) : elements, list: { leaves, nodes } };
      }),
    );
  }

  /** A value written down; of a long list only what has not been. */
  async text(threadId: string, document: StateDocument, texts: ValueTexts): Promise<string> {
    if (document.list === undefined || document.type === DELTA) {
      const [decoded] = await this.decode(threadId, [document]);
      return texts.of(decoded?.value);
    }
    const kept = new Map<string, string>();
    const reading = new ChunkReading(this.tenant, threadId, {
      read: (keys) => this.source.read(keys),
      take: (key) => {
        const text = texts.kept(key);
        if (text !== undefined) kept.set(key, text);
        return text === undefined ? undefined : WRITTEN;
      },
    });
    await reading.read([document]);
    const leaf = async (id: string): Promise<string> => {
      const key = chunkKey(this.tenant, threadId, id);
      const known = kept.get(key);
      if (known !== undefined) return known;
      const { type, data } = reading.whole(reading.chunk(id));
      const text = texts.ofElements((await this.serializer.loadsTyped(type, data)) as unknown[]);
      texts.keep(key, text);
      return text;
    };
    const leaves = await Promise.all(reading.tree(document.list).ids.map(leaf));
    const tail = texts.ofElements(
      (await this.serializer.loadsTyped('json', reading.whole(document).data)) as unknown[],
    );
    return `[${[...leaves, tail].filter((text) => text !== '').join(',')}]`;
  }

  /** Pending writes, in the order in which LangGraph applies them. */
  async decodeWrites(threadId: string, documents: StateDocument[]): Promise<CheckpointPendingWrite[]> {
    const writes = documents.flatMap((document) =>
      document.write === undefined ? [] : [{ document, write: document.write }],
    );
    const key = ({ path, taskId, index }: (typeof writes)[number]['write']) => writesSortKey(path, taskId, index);
    writes.sort((a, b) => compareWritesSortKeys(key(a.write), key(b.write)));
    const decoded = await this.decode(
      threadId,
      writes.map(({ document }) => document),
    );
    return writes.map(({ write }, index) => [write.taskId, write.channel, decoded[index]?.value]);
  }
}

/** The chunks of some values: read one height after another, all values at once. */
class ChunkReading {
  readonly #chunks = new Map<string, StateDocument>();
  readonly #leaves = new Map<string, Leaf>();

  constructor(
    private readonly tenant: string,
    private readonly threadId: string,
    private readonly source: ChunkSource,
  ) {}

  async read(documents: StateDocument[]): Promise<void> {
    for (let wanted = documents.flatMap((document) => named(document, 0)); wanted.length > 0; ) {
      const missing = wanted.filter(({ id, height }) => !this.#have(id, height));
      const keys = missing.map(({ id }) => chunkKey(this.tenant, this.threadId, id));
      const prefix = chunkKey(this.tenant, this.threadId, '').length;
      for (const chunk of await this.source.read([...new Set(keys)])) this.#chunks.set(chunk._id.slice(prefix), chunk);
      wanted = missing.flatMap(({ id, height }) => named(this.chunk(id), height - 1));
    }
  }

  /** A leaf that was kept decoded. */
  leaf(id: string): Leaf | undefined {
    return this.#leaves.get(id);
  }

  chunk(id: string): StateDocument {
    const chunk = this.#chunks.get(id);
    if (chunk !== undefined) return chunk;
    throw new ColloquyError('internal', `state of thread ${this.threadId} has no chunk ${id}`);
  }

  whole(document: StateDocument): { type: string; data: Uint8Array } {
    const { type, parts } = document;
    if (parts === undefined) return { type, data: bytes(document) };
    return { type, data: Buffer.concat(parts.map((id) => bytes(this.chunk(id)))) };
  }

  /** Leaves in order, and the inner nodes by their first child. */
  tree(levels: string[][]) {
    const nodes = new Map<string, { id: string; children: string[] }>();
    const under = (id: string, height: number): string[] => {
      if (height === 0) return [id];
      const children = this.chunk(id).list?.[0] ?? [];
      nodes.set(children[0] ?? '', { id, children });
      return children.flatMap((child) => under(child, height - 1));
    };
    const ids = levels.flatMap((_, down) => {
      const height = levels.length - 1 - down;
      return (levels[height] ?? []).flatMap((id) => under(id, height));
    });
    return { ids, nodes };
  }

  #have(id: string, height: number): boolean {
    if (this.#chunks.has(id) || this.#leaves.has(id)) return true;
    const kept = height === 0 ? this.source.take(chunkKey(this.tenant, this.threadId, id)) : undefined;
    if (kept !== undefined) this.#leaves.set(id, kept);
    return kept !== undefined;
  }
}

/** What a document names; `base` is the height of the first row of its list. */
function named(document: StateDocument, base: number): Wanted[] {
  const rows = (document.list ?? []).flatMap((ids, row) => ids.map((id) => ({ id, height: base + row })));
  return [...rows, ...(document.parts ?? []).map((id) => ({ id, height: -1 }))];
}
