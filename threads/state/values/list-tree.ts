import { ObjectId } from 'mongodb';

/** Children of an inner node. The root references fewer than this many ids of each height. */
const FAN_OUT = 32;

export interface ListNode {
  id: string;
  children: string[];
}

export interface Tree {
  /**
   * Ids that the root references, by height, leaves first. The order of the list is from the
   * highest level to the lowest.
   */
  levels: string[][];
  /** All inner nodes, by the id of their first child. */
  nodes: Map<string, ListNode>;
  /** The inner nodes that are not stored yet. */
  newNodes: ListNode[];
}

/** A globally unique id for a chunk; 16 characters. */
export function newChunkId(): string {
  return Buffer.from(new ObjectId().id).toString('base64url');
}

/**
 * Builds a tree over leaves. It reuses a node of the older tree if the same children follow each
 * other. So appending creates one node per 32 leaves, and a change in the middle one per height.
 */
export function growTree(leaves: readonly string[], known: ReadonlyMap<string, ListNode>): Tree {
  const tree: Tree = { levels: [], nodes: new Map(), newNodes: [] };
  for (let row = leaves; row.length > 0; ) row = pack(row, known, tree);
  return tree;
}

/**
 * Groups one level into nodes; the ids left at its end go into the root. Returns the ids of the
 * nodes.
 */
function pack(row: readonly string[], known: ReadonlyMap<string, ListNode>, tree: Tree): string[] {
  const above: string[] = [];
  let pending: string[] = [];
  const add = (node: ListNode) => {
    tree.nodes.set(node.children[0] ?? '', node);
    above.push(node.id);
  };
  const close = () => {
    if (pending.length === 0) return;
    const node = { id: newChunkId(), children: pending };
    tree.newNodes.push(node);
    add(node);
    pending = [];
  };
  for (let index = 0; index < row.length; ) {
    const old = known.get(row[index] ?? '');
    if (old !== undefined && old.children.every((child, position) => row[index + position] === child)) {
      close();
      add(old);
      index += old.children.length;
      continue;
    }
    pending.push(row[index] ?? '');
    index += 1;
    if (pending.length === FAN_OUT) close();
  }
  tree.levels.push(pending);
  return above;
}
