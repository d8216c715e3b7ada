import { ColloquyError } from './errors.js';

/**
 * Returns whether a value contains more than `most` values. Nested values count, and so do objects
 * and lists. Does not recurse, so deep nesting does no harm. Stops at the limit, so a huge value
 * takes hardly more time than one that is just too large.
 */
export function hasMoreValues(value: object, most: number): boolean {
  const waiting: object[] = [value];
  let count = 0;
  for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) {
    for (const inner of (Array.isArray(one) ? one : Object.values(one)) as unknown[]) {
      if (inner === undefined) continue;
      count += 1;
      if (count > most) return true;
      if (typeof inner === 'object' && inner !== null) waiting.push(inner);
    }
  }
  return false;
}

/** Returns the error message for a value that contains too many values. */
export function tooManyValues(most: number): string {
  return `has more than ${most} values, nested ones included`;
}

/**
 * Throws if the value of a request field contains more than `most` values, nested ones included.
 * Errors: `invalid_argument`, with the name of the field.
 */
export function guardValues(field: string, value: object, most: number): void {
  if (!hasMoreValues(value, most)) return;
  throw new ColloquyError('invalid_argument', `${field}: ${tooManyValues(most)}`, { field });
}
