import { ColloquyError, type RequiredMetadata, type Scalar } from '../protocol/index.js';

/**
 * The filters that an auth handler of the project returns: conditions on the metadata of a record.
 * Each key is a key of the metadata. Its value is the value that the metadata must have, or an
 * object of operators (`$eq`, `$contains`).
 */
export type AuthFilters = Record<string, unknown>;

type Metadata = Record<string, unknown>;

/**
 * One condition on a key of the metadata: its value equals `equal`, or is a list that contains all
 * `members`.
 */
type MetadataTest = { key: string; equal: Scalar } | { key: string; members: Scalar[] };

/**
 * Returns true if metadata match the filters. `$contains` names one value, or a list of values that
 * must all be present.
 */
export function matchesFilters(metadata: Metadata, filters: AuthFilters | undefined): boolean {
  return testsOf(filters).every((test) => {
    const found = metadata[test.key];
    if ('equal' in test) return found === test.equal;
    return Array.isArray(found) && test.members.every((member) => found.includes(member));
  });
}

/** Converts filters to conditions that a search of the database can apply. */
export function requiredBy(filters: AuthFilters): RequiredMetadata {
  const tests = testsOf(filters);
  return {
    equal: Object.fromEntries(tests.flatMap((test) => ('equal' in test ? [[test.key, test.equal]] : []))),
    contains: Object.fromEntries(tests.flatMap((test) => ('members' in test ? [[test.key, test.members]] : []))),
  };
}

/**
 * Parses filters. Errors: `internal` for an invalid filter. An invalid filter must not be ignored,
 * because the caller could then see records that the project's author wanted to hide.
 */
function testsOf(filters: AuthFilters | undefined): MetadataTest[] {
  return Object.entries(filters ?? {}).flatMap(([key, wanted]) => {
    if (isScalar(wanted)) return [{ key, equal: wanted }];
    const operators = Object.entries((wanted ?? {}) as Record<string, unknown>);
    if (operators.length === 0) throw noFilter(key, wanted);
    return operators.map(([name, operand]): MetadataTest => {
      const members = Array.isArray(operand) ? operand : [operand];
      if (name === '$eq' && isScalar(operand)) return { key, equal: operand };
      if (name === '$contains' && members.every(isScalar)) return { key, members };
      throw noFilter(key, wanted);
    });
  });
}

function isScalar(value: unknown): value is Scalar {
  return value === null || ['string', 'boolean'].includes(typeof value) || Number.isFinite(value);
}

function noFilter(key: string, wanted: unknown): ColloquyError {
  return new ColloquyError(
    'internal',
    `auth: filter ${key} is ${JSON.stringify(wanted)}; expected a value, { $eq } or { $contains } of a string, number, boolean or null`,
  );
}
