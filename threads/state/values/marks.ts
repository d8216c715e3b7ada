import { BaseMessage } from '@langchain/core/messages';

/**
 * A snapshot of a value, by which a later change of the value is detected. It contains the
 * prototypes, keys and primitive values in the order in which `walk` visits them.
 */
export type Mark = readonly unknown[];

/**
 * Maximum length of a mark. The comparison of a longer mark would take as much time as the encoding
 * of the value. The limit also ends the walk through a cyclic value.
 */
const MAX_LEAVES = 50_000;
const END = Symbol('end');

/**
 * Returns a mark of a value, by which a later change in place is detected. Returns undefined if the
 * value is too large or contains an instance of a class that may have hidden state.
 */
export function markOf(value: unknown): Mark | undefined {
  const mark: unknown[] = [];
  return walk(value, (leaf) => mark.push(leaf) <= MAX_LEAVES) ? mark : undefined;
}

/**
 * Returns whether a value is unchanged since `mark`, a snapshot of the value, was taken. Without a
 * snapshot, the value counts as changed.
 */
export function isUnchanged(value: unknown, mark: Mark | undefined): boolean {
  if (mark === undefined) return false;
  let index = 0;
  return walk(value, (leaf) => isSameLeaf(leaf, mark[index++])) && index === mark.length;
}

function isSameLeaf(a: unknown, b: unknown): boolean {
  return Object.is(a, b) || (a instanceof Uint8Array && b instanceof Uint8Array && Buffer.compare(a, b) === 0);
}

/**
 * Calls `visit` for every part of a value that the serializer stores. Stops and returns false if a
 * call of `visit` returns false, or at an instance of a class that may have hidden state.
 */
function walk(value: unknown, visit: (leaf: unknown) => boolean): boolean {
  if (typeof value !== 'object' || value === null) return visit(value);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (!visit(prototype)) return false;
  if (Array.isArray(value)) {
    if (!visit(value.length)) return false;
    for (const element of value) if (!walk(element, visit)) return false;
    return true;
  }
  if (prototype === Object.prototype || prototype === null || BaseMessage.isInstance(value)) {
    for (const key of Object.keys(value)) {
      if (!visit(key) || !walk((value as Record<string, unknown>)[key], visit)) return false;
    }
    return visit(END);
  }
  if (value instanceof Map || value instanceof Set) return walk([...value], visit);
  if (value instanceof RegExp) return visit(String(value));
  if (value instanceof Error) return visit(value.message);
  if (value instanceof Uint8Array) return visit(value.slice());
  return false;
}
