import { growTree, newChunkId, type Tree, type TreeNode } from './list-tree.js';
import { isUnchanged, markOf, type Mark } from './marks.js';

/** Elements of a list that are stored together. */
export interface Leaf {
  id: string;
  /** Bytes it is stored in. */
  size: number;
  elements: readonly unknown[];
  marks: readonly (Mark | undefined)[];
  /** Its elements came from the database: another reader would get the same ones, not just equal in what is stored. */
  isDecoded: boolean;
}

/** A list as it was stored last: what the next version may share with it. */
export interface LongList {
  leaves: readonly Leaf[];
  nodes: ReadonlyMap<string, TreeNode>;
}

export interface EncodedList extends LongList {
  tree: Tree;
  /** New leaves, as JSON arrays. */
  fresh: { id: string; data: Uint8Array }[];
  /** JSON array of the elements after the last leaf. */
  tail: Uint8Array;
}

/** A leaf is full from here on, in bytes. The elements after the last full one are written with every version. */
const LEAF_BYTES = 16 * 1024;
/** Equal leaves of primitives are looked at before a match is given up. */
const CANDIDATES = 4;

/** Elements as the leaf they are stored in; marked, so that it is noticed when one is changed in place. */
export function markLeaf(id: string, size: number, elements: readonly unknown[], isDecoded: boolean): Leaf {
  return { id, size, elements, marks: elements.map(markOf), isDecoded };
}

export function isIntact({ elements, marks }: Leaf): boolean {
  return elements.every((element, index) => isUnchanged(element, marks[index]));
}

/**
 * Encodes a list with the leaves of its last version wherever the same elements follow each other unchanged. Undefined when an element cannot
 * be encoded alone. Everything is encoded before this returns: elements may change right after.
 */
export function encodeList(
  list: readonly unknown[],
  base: LongList | undefined,
  encode: (element: unknown) => Uint8Array | undefined,
): EncodedList | undefined {
  const writer = new ListWriter(encode);
  const known = new KnownLeaves(base);
  for (let at = 0; at < list.length; ) {
    const leaf = known.at(list, at);
    if (leaf === undefined) {
      if (!writer.add(list[at])) return undefined;
      at += 1;
    } else {
      if (!writer.reuse(leaf)) return undefined;
      at += leaf.elements.length;
    }
  }
  return writer.end(base?.nodes ?? new Map());
}

/** Finds the leaf of the last version that a list goes on with. */
class KnownLeaves {
  readonly #byFirst = new Map<unknown, Leaf[]>();
  readonly #next = new Map<Leaf, Leaf>();
  /** A leaf stands once in a list, so that each of its elements is an object of its own when it is read. */
  readonly #taken = new Set<Leaf>();
  #expected: Leaf | undefined;

  constructor(base: LongList | undefined) {
    let before: Leaf | undefined;
    for (const leaf of base?.leaves ?? []) {
      const first = leaf.elements[0];
      const same = this.#byFirst.get(first);
      if (same === undefined) this.#byFirst.set(first, [leaf]);
      else if (same.length < CANDIDATES) same.push(leaf);
      if (before === undefined) this.#expected = leaf;
      else this.#next.set(before, leaf);
      before = leaf;
    }
  }

  at(list: readonly unknown[], start: number): Leaf | undefined {
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

interface Run {
  elements: unknown[];
  parts: Uint8Array[];
  bytes: number;
}

/** Takes elements and leaves in their order; no two leaves beside a change are so small that they would fit into one. */
class ListWriter {
  readonly #encode: (element: unknown) => Uint8Array | undefined;
  readonly #leaves: Leaf[] = [];
  readonly #fresh: { id: string; data: Uint8Array }[] = [];
  #run: Run = { elements: [], parts: [], bytes: 0 };

  constructor(encode: (element: unknown) => Uint8Array | undefined) {
    this.#encode = encode;
  }

  /** False: it cannot be encoded. */
  add(element: unknown): boolean {
    const part = this.#encode(element);
    if (part === undefined) return false;
    this.#run.elements.push(element);
    this.#run.parts.push(part);
    this.#run.bytes += part.length + 1;
    if (this.#run.bytes >= LEAF_BYTES) this.#close();
    return true;
  }

  reuse(leaf: Leaf): boolean {
    const { bytes } = this.#run;
    if (bytes > 0 && bytes + leaf.size <= LEAF_BYTES) return leaf.elements.every((element) => this.add(element));
    if (bytes > 0 && !this.#closeWithLast()) return false;
    this.#leaves.push(leaf);
    return true;
  }

  end(known: ReadonlyMap<string, TreeNode>): EncodedList {
    const ids = this.#leaves.map(({ id }) => id);
    const tree = growTree(ids, known);
    const used = new Set(ids);
    const fresh = this.#fresh.filter(({ id }) => used.has(id));
    return { leaves: this.#leaves, nodes: tree.nodes, tree, fresh, tail: toArray(this.#run.parts) };
  }

  #closeWithLast(): boolean {
    const last = this.#leaves.at(-1);
    if (last !== undefined && last.size + this.#run.bytes <= LEAF_BYTES) {
      const { elements, parts } = this.#run;
      this.#leaves.pop();
      this.#run = { elements: [], parts: [], bytes: 0 };
      if (!last.elements.every((element) => this.add(element))) return false;
      this.#run.elements.push(...elements);
      this.#run.parts.push(...parts);
    }
    this.#close();
    return true;
  }

  #close(): void {
    const { elements, parts } = this.#run;
    const data = toArray(parts);
    const leaf = markLeaf(newChunkId(), data.length, elements, false);
    this.#leaves.push(leaf);
    this.#fresh.push({ id: leaf.id, data });
    this.#run = { elements: [], parts: [], bytes: 0 };
  }
}

const [OPEN, COMMA, CLOSE] = ['[', ',', ']'].map((sign) => Buffer.from(sign)) as [Buffer, Buffer, Buffer];

function toArray(parts: readonly Uint8Array[]): Uint8Array {
  const pieces = parts.flatMap((part, index) => (index === 0 ? [part] : [COMMA, part]));
  return Buffer.concat([OPEN, ...pieces, CLOSE]);
}
