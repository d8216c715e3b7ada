export type Scalar = string | number | boolean | null;

/**
 * Metadata that a record must have to be found by a search, by top-level key of the metadata.
 * `equal`: the value of the key must be this value. `contains`: the value of the key must be a list
 * with all of these members.
 */
export interface RequiredMetadata {
  equal: Record<string, Scalar>;
  contains: Record<string, readonly Scalar[]>;
}

/** Requires no metadata. For searches by callers who may see every record. */
export const NOTHING_REQUIRED: RequiredMetadata = { equal: {}, contains: {} };
