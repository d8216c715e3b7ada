import { ColloquyError, type RequiredMetadata, type Scalar } from '../protocol/index.js';

/** What a record must have in its metadata: an equal value, or operators. */
export type AuthFilters = Record<string, unknown>;

type Metadata = Record<string, unknown>;

/** What a filter asks of the metadata at a key: to be a value, or a list that has members. */
type Test = { key: string; equal: Scalar } | { key: string; members: Scalar[] };

/** Whether metadata has what filters ask for; `$contains` asks for one or all of a list's members. */
export function matchesFilters(metadata: Metadata, filters: AuthFilters | undefined): boolean {
  return testsOf(filters).every((test) => {
    const found = metadata[test.key];
    if ('equal' in test) return found === test.equal;
    return Array.isArray(found) && test.members.every((one) => found.includes(one));
  });
}

/** The same of records that are searched for. */
export function requiredBy(filters: AuthFilters): RequiredMetadata {
  const tests = testsOf(filters);
  return {
    equal: Object.fromEntries(tests.flatMap((test) => ('equal' in test ? [[test.key, test.equal]] : []))),
    contains: Object.fromEntries(tests.flatMap((test) => ('members' in test ? [[test.key, test.members]] : []))),
  };
}

/** Errors: `internal` for what is no filter: to let it pass would open what its author had closed. */
function testsOf(filters: AuthFilters | undefined): Test[] {
  return Object.entries(filters ?? {}).flatMap(([key, wanted]) => {
    if (isScalar(wanted)) return [{ key, equal: wanted }];
    const operators = Object.entries((wanted ?? {}) as Record<string, unknown>);
    if (operators.length === 0) throw noFilter(key, wanted);
    return operators.map(([name, operand]): Test => {
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
