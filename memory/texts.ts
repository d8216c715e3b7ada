import { ColloquyError } from '../protocol/index.js';
import type { PutItem } from './ports.js';

/**
 * Maximum number of paths whose texts are embedded for one item. Each path is followed from the top
 * of the value, so every path costs time.
 */
const MAX_PATHS = 100;
/**
 * Maximum number of texts that are embedded for one item. Each text is work for the embedder, and
 * its vector takes some kilobytes in the item's document.
 */
const MAX_TEXTS = 1_000;
/**
 * Maximum number of characters of all texts of an item together. All these texts are kept in memory
 * and go to the embedder. A longer text would be of little use, because embedders read only the
 * beginning of a long text.
 */
const MAX_LENGTH = 1_000_000;
/**
 * Maximum number of values that are visited while the paths of an item are followed. Without this
 * limit, many paths with `*` would cost time even if they find no text.
 */
const MAX_VISITED = 100_000;
/**
 * Number of spaces by which each level of the embedded JSON text is indented, as in LangGraph's own
 * store.
 */
const INDENT = 2;

/**
 * Returns the texts of an item that are to be embedded: the texts at the given paths of its value.
 * Examples of paths: `$` (the whole value), `a.b`, `list[0].a`, `list[-1]`, `list[*].a`, `*` (every
 * field). Errors: `invalid_argument` if one of the limits above is exceeded; the message names the
 * item.
 */
export function textsOf({ namespace, key, value }: PutItem, paths: readonly string[]): string[] {
  const refuse = (problem: string): never => {
    const item = `item ${JSON.stringify(key)} of namespace ${namespace.join('.')}`;
    throw new ColloquyError('invalid_argument', `index: ${item} has ${problem}`, { field: 'index' });
  };
  const distinct = new Set(paths);
  if (distinct.size > MAX_PATHS) refuse(`more than ${MAX_PATHS} paths to embed`);

  const texts: string[] = [];
  let [visited, length] = [0, 0];
  const visit = (): void => {
    visited += 1;
    if (visited > MAX_VISITED) refuse(`paths that go through more than ${MAX_VISITED} values`);
  };
  const tooLong = `more than ${MAX_LENGTH} characters to embed`;
  for (const path of distinct) {
    for (const found of valuesAt(value, stepsOf(path), visit)) {
      if (found === null || found === undefined) continue;
      if (texts.length === MAX_TEXTS) refuse(`more than ${MAX_TEXTS} texts to embed`);
      if (isLonger(found, MAX_LENGTH - length)) refuse(tooLong);
      const text = asText(found);
      length += text.length;
      if (length > MAX_LENGTH) refuse(tooLong);
      texts.push(text);
    }
  }
  return texts;
}

function stepsOf(path: string): string[] {
  return path === '$' ? [] : (path.match(/[^.[\]]+|\[[^[\]]*\]/g) ?? []);
}

/**
 * Yields the values at a path, in their order in `value`. Calls `visit` for each value on the way.
 * Searches only as far as the consumer reads, and does not recurse.
 */
function* valuesAt(value: unknown, steps: readonly string[], visit: () => void): Generator<unknown> {
  const levels: Iterator<unknown>[] = [[value].values()];
  for (let inner = levels.at(-1); inner !== undefined; inner = levels.at(-1)) {
    const next = inner.next();
    const step = steps[levels.length - 1];
    if (next.done === true) {
      levels.pop();
    } else {
      visit();
      if (step === undefined) yield next.value;
      else levels.push(follow(next.value, step));
    }
  }
}

function follow(value: unknown, step: string): Iterator<unknown> {
  if (typeof value !== 'object' || value === null) return [].values();
  const index = /^\[(.*)\]$/.exec(step)?.[1];
  if (step === '*' || index === '*') return Array.isArray(value) ? value.values() : Object.values(value).values();
  if (index !== undefined) return Array.isArray(value) ? [value.at(Number(index)) as unknown].values() : [].values();
  return Object.hasOwn(value, step) ? [(value as Record<string, unknown>)[step]].values() : [].values();
}

/**
 * Returns true if the JSON text of a value is certainly longer than `most` characters. If this
 * returns false, the text may still be longer, because escapes are not counted. This check comes
 * before the JSON text is created, because the indentation can make the text a hundred times larger
 * than the value. Does not recurse.
 */
function isLonger(value: unknown, most: number): boolean {
  let length = typeof value === 'string' ? value.length : 0;
  const waiting: [unknown, number][] = [[value, INDENT]];
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const [container, indent] = next;
    if (typeof container !== 'object' || container === null) continue;
    for (const [key, inner] of Array.isArray(container) ? container.entries() : Object.entries(container)) {
      length += indent + (typeof key === 'string' ? key.length : 0) + (typeof inner === 'string' ? inner.length : 1);
      if (length > most) return true;
      if (typeof inner === 'object' && inner !== null) waiting.push([inner, indent + INDENT]);
    }
  }
  return length > most;
}

function asText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value, null, INDENT) ?? '');
}
