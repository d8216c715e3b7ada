import { BaseMessage } from '@langchain/core/messages';

/** What a value was made of when it was marked: prototypes, keys and leaves, in the order they are walked. */
export type Mark = readonly unknown[];

/** More leaves than this, and comparing costs as much as encoding; a circle ends here too. */
const MOST_LEAVES = 50_000;
const END = Symbol('end');

/** Marks a value so that a later change in place is noticed; undefined where it cannot be: for a class that may hide state. */
export function markOf(value: unknown): Mark | undefined {
  const mark: unknown[] = [];
  return walk(value, (leaf) => mark.push(leaf) <= MOST_LEAVES) ? mark : undefined;
}

/** Whether a value is what it was when it was marked. One without a mark is taken for changed. */
export function isUnchanged(value: unknown, mark: Mark | undefined): boolean {
  if (mark === undefined) return false;
  let at = 0;
  return walk(value, (leaf) => isSame(leaf, mark[at++])) && at === mark.length;
}

function isSame(a: unknown, b: unknown): boolean {
  return Object.is(a, b) || (a instanceof Uint8Array && b instanceof Uint8Array && Buffer.compare(a, b) === 0);
}

/** Visits everything of a value that is stored of it, until a visit answers false. */
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
