import { growTree, newChunkId, type Tree, type ListNode } from './list-tree.js';
import { isUnchanged, markOf, type Mark } from './marks.js';

/** Leaf of a list's tree: elements of the list that are stored together as one chunk. */
export interface Leaf {
  id: string;
  /** Stored size, in bytes. */
  size: number;
  elements: readonly unknown[];
  /**
   * One mark for each element, in the same order. A mark is a snapshot of an element. If the
   * element no longer equals its mark, the element has changed. The mark is undefined if the
   * element cannot be marked, for example because the element is too large.
   */
  marks: readonly (Mark | undefined)[];
  /**
   * Whether the elements were decoded from the database. If not, they are the graph's own objects.
   * These may have state that is not stored, so another reader must not get them.
   */
  isDecoded: boolean;
}

/** The chunks of one version of a list. The next version of the list can share these chunks. */
export interface LongList {
  leaves: readonly Leaf[];
  /** Inner nodes of the list's tree, by the id of their first child. */
  nodes: ReadonlyMap<string, ListNode>;
}

interface EncodedList extends LongList {
  tree: Tree;
  /** Leaves that are not stored yet. `data` is the JSON array of the leaf's elements. */
  newLeaves: { id: string; data: Uint8Array }[];
  /** JSON array of the elements after the last leaf. */
  tail: Uint8Array;
}

/**
 * Size at which a leaf is complete, in bytes. The elements after the last leaf are the tail. Each
 * version of the list stores its tail again.
 */
const LEAF_BYTES = 16 * 1024;
/**
 * Maximum number of leaves that {@link KnownLeaves} remembers for one first element. Several leaves
 * of the previous version may begin with the same element.
 */
const MAX_CANDIDATES = 4;

/**
 * Creates a leaf of these elements, with a mark (a snapshot) of each element. The marks show later
 * whether an element has changed.
 */
export function markLeaf(id: string, size: number, elements: readonly unknown[], isDecoded: boolean): Leaf {
  return { id, size, elements, marks: elements.map(markOf), isDecoded };
}

/** Returns whether every element of a leaf has a mark (a snapshot) and still equals it. */
export function isIntact({ elements, marks }: Leaf): boolean {
  return elements.every((element, index) => isUnchanged(element, marks[index]));
}

/**
 * Encodes a list. Reuses a leaf of the list's previous version (`base`) if the list contains all
 * elements of the leaf in sequence and unchanged. Encodes synchronously, because elements may
 * change right after the call. Returns undefined if an element cannot be encoded on its own.
 */
export function encodeList(
  list: readonly unknown[],
  base: LongList | undefined,
  encode: (element: unknown) => Uint8Array | undefined,
): EncodedList | undefined {
  const writer = new ListWriter(encode);
  const known = new KnownLeaves(base);
  for (let index = 0; index < list.length; ) {
    const leaf = known.take(list, index);
    if (leaf === undefined) {
      if (!writer.add(list[index])) return undefined;
      index += 1;
    } else {
      if (!writer.reuse(leaf)) return undefined;
      index += leaf.elements.length;
    }
  }
  return writer.end(base?.nodes ?? new Map());
}

/** The leaves of a list's previous version. Finds a leaf by its elements. */
class KnownLeaves {
  readonly #byFirst = new Map<unknown, Leaf[]>();
  readonly #next = new Map<Leaf, Leaf>();
  /**
   * Leaves that the new version uses already. A list uses each leaf only once. Otherwise a reader
   * of the list would get the same object at two positions.
   */
  readonly #taken = new Set<Leaf>();
  #expected: Leaf | undefined;

  constructor(base: LongList | undefined) {
    let before: Leaf | undefined;
    for (const leaf of base?.leaves ?? []) {
      const first = leaf.elements[0];
      const same = this.#byFirst.get(first);
      if (same === undefined) this.#byFirst.set(first, [leaf]);
      else if (same.length < MAX_CANDIDATES) same.push(leaf);
      if (before === undefined) this.#expected = leaf;
      else this.#next.set(before, leaf);
      before = leaf;
    }
  }

  /**
   * Returns an unchanged leaf whose elements are side by side in the list, the first one at index
   * `start`. Returns undefined if there is no such leaf. Several leaves may match. The best choice
   * is the leaf that followed the last returned leaf in the previous version, so it is tried first.
   */
  take(list: readonly unknown[], start: number): Leaf | undefined {
    const candidates = this.#byFirst.get(list[start]);
    if (candidates === undefined) return undefined;
    const ordered = this.#expected === undefined ? candidates : [this.#expected, ...candidates];
    const found = ordered.find(
      (leaf) =>
        !this.#taken.has(leaf) &&
        leaf.elements.every((element, index) => Object.is(element, list[start + index])) &&
        start + leaf.elements.length <= list.length &&
        isIntact(leaf),
    );
    if (found === undefined) return undefined;
    this.#taken.add(found);
    this.#expected = this.#next.get(found);
    return found;
  }
}

/** Elements that are encoded but not in a leaf yet. */
interface PendingElements {
  elements: unknown[];
  parts: Uint8Array[];
  bytes: number;
}

/**
 * Builds the leaves of a list in order, from single elements and from reused leaves. Merges small
 * leaves next to a changed element, so that changes do not leave many small leaves.
 */
class ListWriter {
  readonly #encode: (element: unknown) => Uint8Array | undefined;
  readonly #leaves: Leaf[] = [];
  readonly #newLeaves: { id: string; data: Uint8Array }[] = [];
  #pending: PendingElements = { elements: [], parts: [], bytes: 0 };

  constructor(encode: (element: unknown) => Uint8Array | undefined) {
    this.#encode = encode;
  }

  /** Adds one element. Returns false if the element cannot be encoded. */
  add(element: unknown): boolean {
    const part = this.#encode(element);
    if (part === undefined) return false;
    this.#pending.elements.push(element);
    this.#pending.parts.push(part);
    this.#pending.bytes += part.length + 1;
    if (this.#pending.bytes >= LEAF_BYTES) this.#close();
    return true;
  }

  /**
   * Adds a leaf of the previous version. If pending elements and the leaf fit into one leaf, both
   * are merged, and the elements of the leaf are encoded again. Returns false if an element cannot
   * be encoded.
   */
  reuse(leaf: Leaf): boolean {
    const { bytes } = this.#pending;
    if (bytes > 0 && bytes + leaf.size <= LEAF_BYTES) return leaf.elements.every((element) => this.add(element));
    if (bytes > 0 && !this.#closeWithLast()) return false;
    this.#leaves.push(leaf);
    return true;
  }

  end(known: ReadonlyMap<string, ListNode>): EncodedList {
    const ids = this.#leaves.map(({ id }) => id);
    const tree = growTree(ids, known);
    const used = new Set(ids);
    const newLeaves = this.#newLeaves.filter(({ id }) => used.has(id));
    return { leaves: this.#leaves, nodes: tree.nodes, tree, newLeaves, tail: toArray(this.#pending.parts) };
  }

  /**
   * Makes a leaf of the pending elements. If the last leaf and these elements fit into one leaf,
   * merges them. Returns false if an element of the last leaf cannot be encoded again.
   */
  #closeWithLast(): boolean {
    const last = this.#leaves.at(-1);
    if (last !== undefined && last.size + this.#pending.bytes <= LEAF_BYTES) {
      const { elements, parts } = this.#pending;
      this.#leaves.pop();
      this.#pending = { elements: [], parts: [], bytes: 0 };
      if (!last.elements.every((element) => this.add(element))) return false;
      this.#pending.elements.push(...elements);
      this.#pending.parts.push(...parts);
    }
    this.#close();
    return true;
  }

  #close(): void {
    const { elements, parts } = this.#pending;
    const data = toArray(parts);
    const leaf = markLeaf(newChunkId(), data.length, elements, false);
    this.#leaves.push(leaf);
    this.#newLeaves.push({ id: leaf.id, data });
    this.#pending = { elements: [], parts: [], bytes: 0 };
  }
}

const [OPEN, COMMA, CLOSE] = ['[', ',', ']'].map((sign) => Buffer.from(sign)) as [Buffer, Buffer, Buffer];

function toArray(parts: readonly Uint8Array[]): Uint8Array {
  const pieces = parts.flatMap((part, index) => (index === 0 ? [part] : [COMMA, part]));
  return Buffer.concat([OPEN, ...pieces, CLOSE]);
}
