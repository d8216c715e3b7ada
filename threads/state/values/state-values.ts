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

/**
 * Size in bytes above which a value is stored in parts. The parts are separate documents, and the
 * value's document references them. A step inserts the parts of a checkpoint before the commit, so
 * the commit stays small. With parts, a value may exceed MongoDB's limit of 16 MB for a document.
 */
const LARGE_BYTES = 1024 * 1024;
const PART_BYTES = 8 * 1024 * 1024;

/** Type tags that this file adds to those of LangGraph's serializer. */
const NODE = 'node';
const PART = 'part';
/**
 * Type tag of a list from a `DeltaSnapshot`. LangGraph puts the whole value of a `DeltaChannel`
 * into such an object.
 */
const DELTA = 'delta';

type EncodedFields = Pick<StateDocument, 'type' | 'data' | 'list' | 'parts'>;

interface EncodedValue {
  fields: EncodedFields;
  /** Chunks that `fields` references and that are not stored yet. */
  chunks: StateDocument[];
  /** The chunks of the list, if the value is a long list. */
  list?: LongList;
}

interface DecodedValue {
  value: unknown;
  /** The chunks of the list, if the value is a long list. */
  list?: LongList;
}

interface ChunkSource {
  /** Returns the chunks with these keys, in any order. */
  read: (keys: string[]) => Promise<StateDocument[]>;
  /**
   * Takes a decoded leaf (a chunk with elements of a long list) from a cache. If it returns
   * undefined, the leaf is read with `read`.
   */
  take: (key: string) => Leaf | undefined;
}

/** Stands for a leaf whose JSON text is cached, so that the leaf itself is not read. */
const CACHED_TEXT: Leaf = { id: '', size: 0, elements: [], marks: [], isDecoded: false };

interface ChunkReference {
  id: string;
  /**
   * Height in the tree of a list. `0`: leaf. `1` or more: inner node. `-1`: part of a large value.
   */
  height: number;
}

/**
 * Encodes and decodes values. Most values are one document. A long list is stored in chunks that
 * its versions share, so that each version stores only its changes. A large value is stored in
 * parts, so that its size has no limit.
 */
export class StateValues {
  constructor(
    private readonly tenant: string,
    private readonly serializer: StateSerializer,
    private readonly source: ChunkSource,
  ) {}

  /**
   * Encodes a value synchronously, because a graph may change the value right after the call.
   * `base` has the chunks of the previous version of a list, which the new version can share.
   */
  encode(threadId: string, value: unknown, base?: LongList): EncodedValue {
    const elements = isDeltaSnapshot(value) ? value.value : value;
    if (!Array.isArray(elements)) return this.#whole(threadId, value);
    const list = encodeList(elements, base, (element) => this.serializer.element(element));
    if (list === undefined || (list.leaves.length === 0 && elements !== value)) return this.#whole(threadId, value);
    if (list.leaves.length === 0) return { fields: { type: 'json', data: list.tail }, chunks: [] };
    const chunks: StateDocument[] = [];
    for (const { id, data } of list.newLeaves) {
      const { fields, chunks: parts } = this.#split(threadId, 'json', data);
      chunks.push(...parts, this.#chunk(threadId, id, fields));
    }
    for (const { id, children } of list.tree.newNodes) {
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
    for (let offset = 0; offset < data.length; offset += PART_BYTES) {
      const id = newChunkId();
      parts.push(id);
      chunks.push(this.#chunk(threadId, id, { type: PART, data: data.subarray(offset, offset + PART_BYTES) }));
    }
    return { fields: { type, data: new Uint8Array(), parts }, chunks };
  }

  #chunk(threadId: string, id: string, fields: EncodedFields): StateDocument {
    return { _id: chunkKey(this.tenant, threadId, id), group: chunkGroup(this.tenant, threadId), ...fields };
  }

  /**
   * Returns the values in the order of `documents`. A long list is stored in pieces (leaves). With
   * `isTracked`, takes a mark (a snapshot) of each element of a long list. The marks show later
   * which elements have changed, so that the next version of the list reuses the unchanged leaves.
   */
  async decode(threadId: string, documents: StateDocument[], isTracked = false): Promise<DecodedValue[]> {
    const reader = new ChunkReader(this.tenant, threadId, this.source);
    await reader.read(documents);
    const leaf = async (id: string): Promise<Leaf> => {
      const cached = reader.cachedLeaf(id);
      if (cached !== undefined) return cached;
      const { type, data } = reader.joined(reader.chunk(id));
      const elements = (await this.serializer.loadsTyped(type, data)) as unknown[];
      return isTracked
        ? markLeaf(id, data.length, elements, true)
        : { id, size: data.length, elements, marks: [], isDecoded: true };
    };
    return Promise.all(
      documents.map(async (document): Promise<DecodedValue> => {
        const { type, data } = reader.joined(document);
        if (document.list === undefined) return { value: await this.serializer.loadsTyped(type, data) };
        const { ids, nodes } = reader.tree(document.list);
        const leaves = await Promise.all(ids.map(leaf));
        const tail = (await this.serializer.loadsTyped('json', data)) as unknown[];
        const elements = [...leaves.map((item) => item.elements), tail].flat();
        return { value: type === DELTA ? new DeltaSnapshot(elements) : elements, list: { leaves, nodes } };
      }),
    );
  }

  /**
   * Returns the JSON text of a value. A long list is stored in leaves (chunks of its elements), and
   * `texts` caches the JSON text of each leaf.
   */
  async text(threadId: string, document: StateDocument, texts: ValueTexts): Promise<string> {
    if (document.list === undefined || document.type === DELTA) {
      const [decoded] = await this.decode(threadId, [document]);
      return texts.of(decoded?.value);
    }
    const cached = new Map<string, string>();
    const reader = new ChunkReader(this.tenant, threadId, {
      read: (keys) => this.source.read(keys),
      take: (key) => {
        const text = texts.kept(key);
        if (text !== undefined) cached.set(key, text);
        return text === undefined ? undefined : CACHED_TEXT;
      },
    });
    await reader.read([document]);
    const leaf = async (id: string): Promise<string> => {
      const key = chunkKey(this.tenant, threadId, id);
      const known = cached.get(key);
      if (known !== undefined) return known;
      const { type, data } = reader.joined(reader.chunk(id));
      const text = texts.ofElements((await this.serializer.loadsTyped(type, data)) as unknown[]);
      texts.keep(key, text);
      return text;
    };
    const leaves = await Promise.all(reader.tree(document.list).ids.map(leaf));
    const tail = texts.ofElements(
      (await this.serializer.loadsTyped('json', reader.joined(document).data)) as unknown[],
    );
    return `[${[...leaves, tail].filter((text) => text !== '').join(',')}]`;
  }

  /** Decodes pending writes, and returns them in the order in which LangGraph applies them. */
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

/** Reads the chunks of several values, with one query for each height of their trees. */
class ChunkReader {
  readonly #chunks = new Map<string, StateDocument>();
  readonly #leaves = new Map<string, Leaf>();

  constructor(
    private readonly tenant: string,
    private readonly threadId: string,
    private readonly source: ChunkSource,
  ) {}

  async read(documents: StateDocument[]): Promise<void> {
    for (let references = documents.flatMap((document) => referencesOf(document, 0)); references.length > 0; ) {
      const missing = references.filter(({ id, height }) => !this.#isLoaded(id, height));
      const keys = missing.map(({ id }) => chunkKey(this.tenant, this.threadId, id));
      const prefix = chunkKey(this.tenant, this.threadId, '').length;
      for (const chunk of await this.source.read([...new Set(keys)])) this.#chunks.set(chunk._id.slice(prefix), chunk);
      references = missing.flatMap(({ id, height }) => referencesOf(this.chunk(id), height - 1));
    }
  }

  /** Returns a decoded leaf that came from the cache. Returns undefined for any other leaf. */
  cachedLeaf(id: string): Leaf | undefined {
    return this.#leaves.get(id);
  }

  chunk(id: string): StateDocument {
    const chunk = this.#chunks.get(id);
    if (chunk !== undefined) return chunk;
    throw new ColloquyError('internal', `state of thread ${this.threadId} has no chunk ${id}`);
  }

  /** Returns the serialized data of a document, joined from its parts if it has any. */
  joined(document: StateDocument): { type: string; data: Uint8Array } {
    const { type, parts } = document;
    if (parts === undefined) return { type, data: bytes(document) };
    return { type, data: Buffer.concat(parts.map((id) => bytes(this.chunk(id)))) };
  }

  /**
   * Returns the ids of a list's leaves in order, and the inner nodes of its tree by the id of their
   * first child.
   */
  tree(levels: string[][]) {
    const nodes = new Map<string, { id: string; children: string[] }>();
    const leavesBelow = (id: string, height: number): string[] => {
      if (height === 0) return [id];
      const children = this.chunk(id).list?.[0] ?? [];
      nodes.set(children[0] ?? '', { id, children });
      return children.flatMap((child) => leavesBelow(child, height - 1));
    };
    const ids = levels.flatMap((_, index) => {
      const height = levels.length - 1 - index;
      return (levels[height] ?? []).flatMap((id) => leavesBelow(id, height));
    });
    return { ids, nodes };
  }

  /**
   * Returns whether a chunk is loaded. If the chunk is a leaf that is not loaded, first tries to
   * take the leaf from the cache.
   */
  #isLoaded(id: string, height: number): boolean {
    if (this.#chunks.has(id) || this.#leaves.has(id)) return true;
    const leaf = height === 0 ? this.source.take(chunkKey(this.tenant, this.threadId, id)) : undefined;
    if (leaf !== undefined) this.#leaves.set(id, leaf);
    return leaf !== undefined;
  }
}

/**
 * Returns the chunks that a document references directly. `document.list[0]` contains the ids of
 * the chunks at height `base` of the list's tree, `list[1]` those at height `base + 1`, and so on.
 */
function referencesOf(document: StateDocument, base: number): ChunkReference[] {
  const rows = (document.list ?? []).flatMap((ids, row) => ids.map((id) => ({ id, height: base + row })));
  return [...rows, ...(document.parts ?? []).map((id) => ({ id, height: -1 }))];
}
