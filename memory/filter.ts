import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { ColloquyError, guardValues, hasMoreValues } from '../protocol/index.js';

type ItemValue = Record<string, unknown>;
type Comparison = (found: unknown, wanted: unknown) => boolean;

/**
 * Maximum number of values in a filter, including nested values. There is a limit because each
 * value may be compared with every item.
 */
const MAX_WANTED = 1_000;

/**
 * The operators of LangGraph's store filters, by name. `$gt`, `$gte`, `$lt` and `$lte` compare
 * numbers: a string, a boolean or null is converted to a number first.
 */
const OPERATORS: Readonly<Record<string, Comparison>> = {
  $eq: isEqual,
  $ne: (found, wanted) => !isEqual(found, wanted),
  $gt: ordered((found, wanted) => found > wanted),
  $gte: ordered((found, wanted) => found >= wanted),
  $lt: ordered((found, wanted) => found < wanted),
  $lte: ordered((found, wanted) => found <= wanted),
  $in: (found, wanted) => isList(wanted) && isOneOf(found, wanted),
  $nin: (found, wanted) => !isList(wanted) || !isOneOf(found, wanted),
};
const ORDER: readonly string[] = ['$gt', '$gte', '$lt', '$lte'];

const MAX_LABEL_LENGTH = 256;

/**
 * Turns a filter into a function that tells whether an item's value matches. Errors:
 * `invalid_argument` for an unknown operator, for an object or a list as operand of an ordering
 * operator, and for too many values.
 */
export function compileFilter(filter: Record<string, unknown> = {}): (value: ItemValue) => boolean {
  guardValues('filter', filter, MAX_WANTED);
  const tests = Object.entries(filter).map(([key, wanted]) => {
    const operators = operatorsOf(key, wanted);
    return operators === undefined
      ? (value: ItemValue) => isEqual(value[key], wanted)
      : (value: ItemValue) => operators.every(([test, operand]) => test(value[key], operand));
  });
  return (value) => tests.every((test) => test(value));
}

/**
 * Returns the labels by which a database query finds an item: one string, made of key and value,
 * for each top-level key whose value is a string, a number, a boolean or null. They are not the
 * labels of the item's namespace.
 */
export function labelsOf(value: ItemValue): string[] {
  return Object.entries(value)
    .filter(([, inner]) => isPlain(inner))
    .map(label);
}

/**
 * Returns labels ({@link labelsOf}) that an item must have to match the filter. The database query
 * asks for them, so that it finds fewer items. {@link compileFilter} then decides which of these
 * items match.
 */
export function requiredLabels(filter: Record<string, unknown> = {}): string[] {
  return Object.entries(filter)
    .map(([key, wanted]): [string, unknown] => [key, onlyEqual(wanted)])
    .filter(([, wanted]) => isPlain(wanted))
    .map(label);
}

function operatorsOf(key: string, wanted: unknown): [Comparison, unknown][] | undefined {
  if (typeof wanted !== 'object' || wanted === null || isList(wanted)) return undefined;
  const names = Object.keys(wanted);
  if (names.length > 0 && !names.some((name) => name.startsWith('$'))) return undefined;
  return Object.entries(wanted).map(([name, operand]) => [operatorOf(`filter.${key}`, name, operand), operand]);
}

function operatorOf(field: string, name: string, operand: unknown): Comparison {
  const refuse = (problem: string): never => {
    throw new ColloquyError('invalid_argument', `${field}.${name}: ${problem}`, { field });
  };
  const test = Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined;
  if (test === undefined) return refuse(`unknown operator; expected one of ${Object.keys(OPERATORS).join(', ')}`);
  if (ORDER.includes(name) && !isPlain(operand)) return refuse('expected a number, a string, a boolean or null');
  return test;
}

/**
 * Returns a comparison that converts both values to numbers and calls `test`. It is false for
 * objects and lists, because they have no order, and because `Number` throws for some of them.
 */
function ordered(test: (found: number, wanted: number) => boolean): Comparison {
  return (found, wanted) => isPlain(found) && isPlain(wanted) && test(Number(found), Number(wanted));
}

function isEqual(found: unknown, wanted: unknown): boolean {
  return isOneOf(found, [wanted]);
}

/**
 * Returns whether `found` equals one of the wanted values. An object or list with more than
 * `MAX_WANTED` values is not compared: it cannot be equal, because a filter has at most that many
 * values.
 */
function isOneOf(found: unknown, wanted: readonly unknown[]): boolean {
  if (isPlain(found)) return wanted.includes(found);
  if (isContainer(found) && (!wanted.some(isContainer) || hasMoreValues(found, MAX_WANTED))) return false;
  return wanted.some((one) => isDeepStrictEqual(found, one));
}

function onlyEqual(wanted: unknown): unknown {
  if (typeof wanted !== 'object' || wanted === null) return wanted;
  return '$eq' in wanted ? wanted.$eq : wanted;
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

function isPlain(value: unknown): boolean {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}

function label([key, value]: [string, unknown]): string {
  const text = `${JSON.stringify(key)}: ${JSON.stringify(value)}`;
  return text.length <= MAX_LABEL_LENGTH ? text : `sha256 ${createHash('sha256').update(text).digest('base64url')}`;
}

function isList(value: unknown): value is unknown[] {
  return Array.isArray(value);
}
