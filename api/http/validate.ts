import type { RequestHandler } from 'express';
import type { z } from 'zod';
import { TOO_DEEP, UNSUPPORTED, findTooDeep } from '../../protocol/schemas/index.js';
import { ColloquyError } from '../../protocol/index.js';

const SHOWN_VALUE = 80;
/**
 * Maximum number of faults that an error message lists. A list with a million elements can have a
 * fault in each element.
 */
const SHOWN_FAULTS = 20;

/**
 * Parses a value that a client sent. `where` names the value in messages, for example
 * `request body`. Errors: `invalid_argument`; `unsupported` if every fault is a field that
 * LangGraph has and Colloquy does not support. The message of both errors lists the wrong fields.
 */
export function parse<T extends z.ZodType>(schema: T, value: unknown, where: string): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues;
  const unsupported = issues.every(
    (issue) => issue.code === 'custom' && issue.params?.['unsupported'] === UNSUPPORTED.unsupported,
  );
  const message = listed(issues.slice(0, SHOWN_FAULTS + 1).flatMap((issue) => describe(issue, value, where)));
  const field = issues[0]?.path.join('.') || where;
  throw new ColloquyError(unsupported ? 'unsupported' : 'invalid_argument', message, { field });
}

/** Parses JSON text. Errors: `invalid_argument` if the text is not JSON or nested too deep. */
export function parseJson(text: string, where: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const message = `${where} is not valid JSON: ${(cause as Error).message}`;
    throw new ColloquyError('invalid_argument', message, { cause });
  }
  checkDepth(value, where);
  return value;
}

/** Refuses deeply nested values before recursive code reads them. Errors: `invalid_argument`. */
function checkDepth(value: unknown, where: string): void {
  const path = findTooDeep(value);
  if (path === undefined) return;
  throw new ColloquyError('invalid_argument', `${where}: ${path} ${TOO_DEEP}`, { field: path });
}

function listed(faults: string[]): string {
  const shown = faults.slice(0, SHOWN_FAULTS);
  return [...shown, ...(faults.length > SHOWN_FAULTS ? ['and more'] : [])].join('; ');
}

function describe(issue: z.core.$ZodIssue, value: unknown, where: string): string[] {
  const path = issue.path.map((step) => cut(String(step))).join('.');
  if (issue.code === 'unrecognized_keys') {
    const prefix = path === '' ? '' : `${path}.`;
    return issue.keys.map((key) => `${prefix}${cut(key)}: unknown field of the ${where}`);
  }
  return [`${path || where}: ${messageOf(issue)}; got ${shown(valueAt(value, issue.path))}`];
}

/**
 * Returns the message of a fault that zod has found. For a union type, the message lists what each
 * member of the union expects.
 */
function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code !== 'invalid_union') return issue.message;
  const expected = issue.errors.flatMap(([first]) => (first ? [messageOf(first)] : []));
  return expected.length > 0 ? [...new Set(expected)].join(', or ') : issue.message;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  // The schema splits a query parameter such as `a,b` into a list. The client sent the list as one
  // string, so the whole string is shown.
  const at = (inner: unknown, key: PropertyKey) =>
    typeof inner === 'string' ? inner : (inner as Record<PropertyKey, unknown> | undefined)?.[key];
  return path.reduce<unknown>(at, value);
}

function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  try {
    return cut(JSON.stringify(value));
  } catch {
    // JSON.stringify fails on a cycle and on deep nesting. Both can occur after a project's auth
    // handler has changed the value.
    return 'a value that cannot be shown';
  }
}

function cut(text: string): string {
  return text.length > SHOWN_VALUE ? `${text.slice(0, SHOWN_VALUE)}…` : text;
}

/**
 * Refuses a body that is nested too deep. Runs right after the body is parsed, so that no other
 * code reads such a body. Errors: `invalid_argument`.
 */
export const limitDepth: RequestHandler = (req, _res, next) => {
  checkDepth(req.body, 'request body');
  next();
};
