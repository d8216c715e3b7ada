export type Scalar = string | number | boolean | null;

/**
 * Metadata that a record must have so that a search finds the record, by first-level key. `equal`:
 * the value of the key is this value. `contains`: the value is a list with all of these members.
 */
export interface RequiredMetadata {
  equal: Record<string, Scalar>;
  contains: Record<string, readonly Scalar[]>;
}

/** For searches by callers who may see every record. */
export const NOTHING_REQUIRED: RequiredMetadata = { equal: {}, contains: {} };
