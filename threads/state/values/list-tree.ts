import { ObjectId } from 'mongodb';

/** Children of an inner node. A root names fewer than this of each height at its end. */
const FAN = 32;

export interface TreeNode {
  id: string;
  children: string[];
}

export interface Tree {
  /** Ids that the root names, by height, leaves first; the list is read from the highest to the lowest. */
  levels: string[][];
  /** All inner nodes, by their first child. */
  nodes: Map<string, TreeNode>;
  /** Those of them that are new. */
  made: TreeNode[];
}

/** A name for a chunk that nobody else gives to another: 16 characters. */
export function newChunkId(): string {
  return Buffer.from(new ObjectId().id).toString('base64url');
}

/**
 * Builds a tree over leaves, with the nodes of an older one wherever the same children follow each other: appending makes a node in 32
 * leaves, a change in the middle one node for each height.
 */
export function growTree(leaves: readonly string[], known: ReadonlyMap<string, TreeNode>): Tree {
  const tree: Tree = { levels: [], nodes: new Map(), made: [] };
  for (let row = leaves; row.length > 0; ) row = pack(row, known, tree);
  return tree;
}

/** Puts a row of one height under nodes, and what is left at its end into the root. Answers the nodes. */
function pack(row: readonly string[], known: ReadonlyMap<string, TreeNode>, tree: Tree): string[] {
  const above: string[] = [];
  let loose: string[] = [];
  const add = (node: TreeNode) => {
    tree.nodes.set(node.children[0] ?? '', node);
    above.push(node.id);
  };
  const close = () => {
    if (loose.length === 0) return;
    const node = { id: newChunkId(), children: loose };
    tree.made.push(node);
    add(node);
    loose = [];
  };
  for (let at = 0; at < row.length; ) {
    const old = known.get(row[at] ?? '');
    if (old !== undefined && old.children.every((child, index) => row[at + index] === child)) {
      close();
      add(old);
      at += old.children.length;
      continue;
    }
    loose.push(row[at] ?? '');
    at += 1;
    if (loose.length === FAN) close();
  }
  tree.levels.push(loose);
  return above;
}
