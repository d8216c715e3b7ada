import { z } from 'zod';

/** Names, keys and ids that clients choose: they stand in keys of the database's indexes, and are shown in one line. */
export const MAX_NAME = 1_000;
/** The database takes regular expressions of 1,000 characters and more, and one that escapes each character has two for it. */
export const MAX_SEARCHED_NAME = 500;
/** Texts that people write, and that no index holds. */
export const MAX_TEXT = 100_000;
/** Namespaces of subgraphs: a name and an id for each level. They stand in keys, percent-encoded. */
export const MAX_NAMESPACE = 4_000;
/** Entries of lists that name things one by one. */
export const MAX_NAMES = 1_000;

/**
 * A text of at most so many characters that the database keeps as it is. NUL ends a regular expression there; half of a surrogate pair has no
 * UTF-8, so that another text would be stored, and percent-encoding throws on it.
 */
export function text(most: number) {
  return z
    .string()
    .max(most, { abort: true, message: `expected at most ${most} characters` })
    .refine((given) => !/[\0\p{Surrogate}]/u.test(given), 'has a NUL or half of a surrogate pair');
}

export const name = text(MAX_NAME);
export const names = z.array(name).max(MAX_NAMES);
