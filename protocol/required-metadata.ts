export type Scalar = string | number | boolean | null;

/**
 * What the metadata of a record must have so that a search finds it, by key of the first level: the
 * value itself, or a list with all of these members.
 */
export interface RequiredMetadata {
  equal: Record<string, Scalar>;
  contains: Record<string, readonly Scalar[]>;
}

/** For searches by everybody who may see every record. */
export const NOTHING_REQUIRED: RequiredMetadata = { equal: {}, contains: {} };
