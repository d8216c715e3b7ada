import { ColloquyError } from '../../protocol/index.js';
import type { AuthFilters } from './ports.js';

type Metadata = Record<string, unknown>;

/** Whether metadata has what filters ask for; `$contains` asks for one or all of a list's members. */
export function matchesFilters(metadata: Metadata, filters: AuthFilters | undefined): boolean {
  return Object.entries(filters ?? {}).every(([key, wanted]) => {
    const operators = operatorsOf(key, wanted);
    return operators.every(([name, operand]) => {
      const found = metadata[key];
      if (name === '$eq') return found === operand;
      const members = Array.isArray(operand) ? operand : [operand];
      return Array.isArray(found) && members.every((one) => found.includes(one));
    });
  });
}

/** The filters as metadata: what a record must be made with to match. `$contains` has no such form. */
export function asMetadata(filters: AuthFilters | undefined): { metadata: Metadata; isWhole: boolean } {
  const pairs = Object.entries(filters ?? {}).flatMap(([key, wanted]) =>
    operatorsOf(key, wanted).map(([name, operand]) => ({ key, name, operand })),
  );
  const equal = pairs.filter(({ name }) => name === '$eq');
  return {
    metadata: Object.fromEntries(equal.map(({ key, operand }) => [key, operand])),
    isWhole: equal.length === pairs.length,
  };
}

/** Errors: `internal` for an operator that is none: to let it pass would open what its author had closed. */
function operatorsOf(key: string, wanted: unknown): [string, unknown][] {
  if (typeof wanted !== 'object' || wanted === null) return [['$eq', wanted]];
  const operators = Object.entries(wanted);
  const unknown = operators.find(([name]) => name !== '$eq' && name !== '$contains');
  if (unknown === undefined && operators.length > 0) return operators;
  throw new ColloquyError(
    'internal',
    `auth: filter ${key} is ${JSON.stringify(wanted)}; expected a value, { $eq } or { $contains }`,
  );
}
