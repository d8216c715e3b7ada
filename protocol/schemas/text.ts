import { z } from 'zod';

/**
 * Limit for names, keys and ids that clients choose. They are part of index keys and are shown in
 * one line.
 */
export const MAX_NAME = 1_000;
/**
 * Limit for a name to search for, which becomes a regular expression. The database accepts regular
 * expressions of at least 1,000 characters, and escaping may double the length of a name.
 */
export const MAX_SEARCHED_NAME = 500;
/** Limit for texts that people write and that no index holds. */
export const MAX_TEXT = 100_000;
/**
 * Limit for checkpoint namespaces of subgraphs. A namespace has a name and an id for each level.
 * Percent-encoded, it is part of keys.
 */
export const MAX_NAMESPACE = 4_000;
/** Limit for entries of lists of names. */
export const MAX_NAMES = 1_000;

/**
 * Returns the schema of a text that the database stores unchanged. Refuses NUL, because it ends a
 * regular expression in the database. Refuses a lone surrogate, because it has no UTF-8 form:
 * another text would be stored, and percent-encoding would throw.
 */
export function text(most: number) {
  return z
    .string()
    .max(most, { abort: true, message: `expected at most ${most} characters` })
    .refine((given) => !/[\0\p{Surrogate}]/u.test(given), 'has a NUL or half of a surrogate pair');
}

export const name = text(MAX_NAME);
export const names = z.array(name).max(MAX_NAMES);
