import { shortText } from '../protocol/index.js';

/**
 * Limits for the names of nodes and tools in the result of a step, in characters. Temporal refuses a
 * result of more than 2 MB. Events and records have the whole names.
 */
const MAX_NAME = 200;
const MAX_ALL_NAMES = 100_000;

export function shortName(name: string): string {
  return shortText(name, MAX_NAME);
}

/** Returns short names. If there are too many, the last text says how many are left out. */
export function shortNames(names: string[]): string[] {
  const short: string[] = [];
  let left = MAX_ALL_NAMES;
  for (const name of names) {
    const text = shortName(name);
    left -= text.length;
    if (left < 0) return [...short, `… (${names.length - short.length} more)`];
    short.push(text);
  }
  return short;
}
