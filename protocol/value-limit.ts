import { ColloquyError } from './errors.js';

/**
 * Whether more than so many values are inside of one; objects and lists count, as what is in them does.
 * Does not recurse, and stops at the limit, so that a large value costs no more than a refused one.
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

/** Why a value is refused that {@link hasMoreValues}. */
export function tooManyValues(most: number): string {
  return `has more than ${most} values, with those inside of it`;
}

/** Errors: `invalid_argument`, with the name of the field. */
export function guardValues(field: string, value: object, most: number): void {
  if (!hasMoreValues(value, most)) return;
  throw new ColloquyError('invalid_argument', `${field}: ${tooManyValues(most)}`, { field });
}
