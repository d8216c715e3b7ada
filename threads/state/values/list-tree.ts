import { ObjectId } from 'mongodb';

/**
 * Limit for the children of an inner node. The root references fewer than this many ids of each
 * height.
 */
const FAN_OUT = 32;

export interface ListNode {
  id: string;
  children: string[];
}

export interface Tree {
  /**
   * Ids that the root references, by height, leaves first. In the list, the elements below the
   * highest level come first, and those below the lowest level come last.
   */
  levels: string[][];
  /** All inner nodes, by the id of their first child. */
  nodes: Map<string, ListNode>;
  /** The inner nodes that are not stored yet. */
  newNodes: ListNode[];
}

/** Returns a globally unique id for a chunk, with 16 characters. */
export function newChunkId(): string {
  return Buffer.from(new ObjectId().id).toString('base64url');
}

/**
 * Builds a tree over leaves. It reuses a node of the older tree if all children of the node follow
 * each other in the new tree too. So appending creates one node for 32 leaves, and a change in the
 * middle creates one node for each height.
 */
export function growTree(leaves: readonly string[], known: ReadonlyMap<string, ListNode>): Tree {
  const tree: Tree = { levels: [], nodes: new Map(), newNodes: [] };
  for (let row = leaves; row.length > 0; ) row = pack(row, known, tree);
  return tree;
}

/**
 * Groups the ids of one level into nodes. Ids that are left at the end of the level go into the
 * root. Returns the ids of the nodes.
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
