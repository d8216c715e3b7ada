export type Scalar = string | number | boolean | null;

/**
 * Conditions on the metadata of a record. A search returns only records that meet them. The keys
 * are top-level keys of the metadata. `equal`: the value in the record must be this value, for
 * example `{ owner: 'ada' }`. `contains`: the value in the record must be a list with all of these
 * members, for example `{ tags: ['a', 'b'] }`.
 */
export interface RequiredMetadata {
  equal: Record<string, Scalar>;
  contains: Record<string, readonly Scalar[]>;
}

/** Requires no metadata. For searches by callers who may see every record. */
export const NOTHING_REQUIRED: RequiredMetadata = { equal: {}, contains: {} };
