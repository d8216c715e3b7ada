import { z } from 'zod';

/**
 * Maximum length of names, keys and ids that clients choose, in characters. They are part of index
 * keys, and are shown in one line.
 */
export const MAX_NAME = 1_000;
/**
 * Maximum length of a name that a search looks for, in characters. The name becomes a regular
 * expression, and escaping may double its length. So the regular expression has at most 1,000
 * characters, which the database accepts.
 */
export const MAX_SEARCHED_NAME = 500;
/** Maximum length of strings that people write and that are in no index, in characters. */
export const MAX_TEXT = 100_000;
/**
 * Maximum length of the checkpoint namespace of a subgraph, in characters. A namespace has a name
 * and an id for each level of nested subgraphs. It is part of database keys, in percent-encoded
 * form.
 */
export const MAX_NAMESPACE = 4_000;
/** Maximum number of names in a list of names. */
export const MAX_NAMES = 1_000;

/**
 * Returns the schema of a string that the database stores unchanged, with at most `most`
 * characters. Refuses NUL, because it ends a regular expression in the database. Refuses half of a
 * surrogate pair, because it has no UTF-8 form: the database would store another string, and
 * percent-encoding would throw.
 */
export function text(most: number) {
  return z
    .string()
    .max(most, { abort: true, message: `expected at most ${most} characters` })
    .refine((given) => !/[\0\p{Surrogate}]/u.test(given), 'has a NUL or half of a surrogate pair');
}

export const name = text(MAX_NAME);
export const names = z.array(name).max(MAX_NAMES);
