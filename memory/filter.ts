import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { ColloquyError } from '../protocol/index.js';

type Value = Record<string, unknown>;
type Test = (found: unknown, wanted: unknown) => boolean;

/** LangGraph's operators; order is the order of numbers. */
const OPERATORS: Readonly<Record<string, Test>> = {
  $eq: isDeepStrictEqual,
  $ne: (found, wanted) => !isDeepStrictEqual(found, wanted),
  $gt: (found, wanted) => Number(found) > Number(wanted),
  $gte: (found, wanted) => Number(found) >= Number(wanted),
  $lt: (found, wanted) => Number(found) < Number(wanted),
  $lte: (found, wanted) => Number(found) <= Number(wanted),
  $in: (found, wanted) => isList(wanted) && wanted.some((one) => isDeepStrictEqual(found, one)),
  $nin: (found, wanted) => !isList(wanted) || !wanted.some((one) => isDeepStrictEqual(found, one)),
};

const MAX_LABEL_LENGTH = 256;

/** A test of values for a filter. Errors: `invalid_argument` for an operator that is none. */
export function testOf(filter: Record<string, unknown> = {}): (value: Value) => boolean {
  const tests = Object.entries(filter).map(([key, wanted]) => {
    const operators = operatorsOf(key, wanted);
    return operators === undefined
      ? (value: Value) => isDeepStrictEqual(value[key], wanted)
      : (value: Value) => operators.every(([test, operand]) => test(value[key], operand));
  });
  return (value) => tests.every((test) => test(value));
}

/** What a value is found by: its plain keys, as the database can compare them. */
export function labelsOf(value: Value): string[] {
  return Object.entries(value).filter(isPlain).map(label);
}

/** The part of a filter that the database decides by labels; {@link testOf} decides the whole. */
export function wantedLabels(filter: Record<string, unknown> = {}): string[] {
  return Object.entries(filter)
    .map(([key, wanted]): [string, unknown] => [key, onlyEqual(wanted)])
    .filter(isPlain)
    .map(label);
}

function operatorsOf(key: string, wanted: unknown): [Test, unknown][] | undefined {
  if (typeof wanted !== 'object' || wanted === null || isList(wanted)) return undefined;
  const names = Object.keys(wanted);
  if (names.length > 0 && !names.some((name) => name.startsWith('$'))) return undefined;
  return Object.entries(wanted).map(([name, operand]) => {
    const test = Object.hasOwn(OPERATORS, name) ? OPERATORS[name] : undefined;
    if (test) return [test, operand];
    const known = Object.keys(OPERATORS).join(', ');
    throw new ColloquyError('invalid_argument', `filter.${key}.${name}: no such operator; there are ${known}`, {
      field: `filter.${key}`,
    });
  });
}

function onlyEqual(wanted: unknown): unknown {
  if (typeof wanted !== 'object' || wanted === null) return wanted;
  return '$eq' in wanted ? wanted.$eq : wanted;
}

function isPlain([, value]: [string, unknown]): boolean {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value);
}

function label([key, value]: [string, unknown]): string {
  const text = `${JSON.stringify(key)}: ${JSON.stringify(value)}`;
  return text.length <= MAX_LABEL_LENGTH ? text : `sha256 ${createHash('sha256').update(text).digest('base64url')}`;
}

function isList(value: unknown): value is unknown[] {
  return Array.isArray(value);
}
