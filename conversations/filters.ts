import { ColloquyError, type RequiredMetadata, type Scalar } from '../protocol/index.js';

/** Conditions on the metadata of a record: by key, an equal value or operators. */
export type AuthFilters = Record<string, unknown>;

type Metadata = Record<string, unknown>;

/** One condition on a key: an equal value, or a list that contains members. */
type MetadataTest = { key: string; equal: Scalar } | { key: string; members: Scalar[] };

/**
 * Returns true if metadata match the filters. `$contains` requires one or all members of a list.
 */
export function matchesFilters(metadata: Metadata, filters: AuthFilters | undefined): boolean {
  return testsOf(filters).every((test) => {
    const found = metadata[test.key];
    if ('equal' in test) return found === test.equal;
    return Array.isArray(found) && test.members.every((member) => found.includes(member));
  });
}

/** Converts filters to the conditions of a search. */
export function requiredBy(filters: AuthFilters): RequiredMetadata {
  const tests = testsOf(filters);
  return {
    equal: Object.fromEntries(tests.flatMap((test) => ('equal' in test ? [[test.key, test.equal]] : []))),
    contains: Object.fromEntries(tests.flatMap((test) => ('members' in test ? [[test.key, test.members]] : []))),
  };
}

/**
 * Parses filters. Errors: `internal` for an invalid filter; ignoring it would grant access that its
 * author wanted to deny.
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
