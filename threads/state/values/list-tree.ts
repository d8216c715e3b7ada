import { ObjectId } from 'mongodb';

/**
 * Maximum number of children of an inner node. As soon as 32 chunks of the same height have no
 * parent, a new inner node becomes their parent. So the root references at most 31 chunks of each
 * height.
 */
const FAN_OUT = 32;

export interface ListNode {
  id: string;
  children: string[];
}

export interface Tree {
  /**
   * Ids that the root references, by height: `levels[0]` has leaves, `levels[1]` has the inner
   * nodes directly above leaves, and so on. The highest level covers the start of the list, and
   * `levels[0]` covers its end.
   */
  levels: string[][];
  /** All inner nodes of the tree, by the id of their first child. */
  nodes: Map<string, ListNode>;
  /** The inner nodes that are not stored yet. */
  newNodes: ListNode[];
}

/** Returns a globally unique id for a chunk, with 16 characters. */
export function newChunkId(): string {
  return Buffer.from(new ObjectId().id).toString('base64url');
}

/**
 * Builds a tree over the leaves of a list. Reuses a node of the older tree (`known`) if all
 * children of the node are side by side in the new tree, in the same order. So 32 appended leaves
 * usually need one new node. If one leaf in the middle is replaced, only the nodes above this leaf
 * are new: one of each height.
 */
export function growTree(leaves: readonly string[], known: ReadonlyMap<string, ListNode>): Tree {
  const tree: Tree = { levels: [], nodes: new Map(), newNodes: [] };
  for (let row = leaves; row.length > 0; ) row = pack(row, known, tree);
  return tree;
}

/**
 * Groups the ids of one level (`row`) into nodes and returns the ids of these nodes. Ids at the end
 * that do not fill a node get no parent node. The root references them directly.
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
