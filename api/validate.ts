import type { z } from 'zod';
import { UNSUPPORTED } from '../protocol/schemas/index.js';
import { ColloquyError } from '../protocol/index.js';

const SHOWN_VALUE = 80;

/**
 * Parses what a client sent. `where` names the part of the request for faults of the whole (`request body`).
 * Errors: `invalid_argument`, or `unsupported` when every fault is a field that is not served; both name all faulty fields.
 */
export function parse<T extends z.ZodType>(schema: T, value: unknown, where: string): z.output<T> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issues = result.error.issues;
  const unsupported = issues.every(
    (issue) => issue.code === 'custom' && issue.params?.['unsupported'] === UNSUPPORTED.unsupported,
  );
  const message = issues.map((issue) => describe(issue, value, where)).join('; ');
  const field = issues[0]?.path.join('.') || where;
  throw new ColloquyError(unsupported ? 'unsupported' : 'invalid_argument', message, { field });
}

function describe(issue: z.core.$ZodIssue, value: unknown, where: string): string {
  const at = issue.path.join('.') || where;
  if (issue.code === 'unrecognized_keys') {
    const prefix = issue.path.length > 0 ? `${issue.path.join('.')}.` : '';
    return issue.keys.map((key) => `${prefix}${key}: unknown field of the ${where}`).join('; ');
  }
  return `${at}: ${messageOf(issue)}; got ${shown(valueAt(value, issue.path))}`;
}

/** A value that may be one of several kinds: what each of them expects. */
function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code !== 'invalid_union') return issue.message;
  const expected = issue.errors.flatMap(([first]) => (first ? [messageOf(first)] : []));
  return expected.length > 0 ? [...new Set(expected)].join(', or ') : issue.message;
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  // A query parameter that stands for a list is one text.
  const at = (inner: unknown, key: PropertyKey) =>
    typeof inner === 'string' ? inner : (inner as Record<PropertyKey, unknown> | undefined)?.[key];
  return path.reduce<unknown>(at, value);
}

function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value);
  return text.length > SHOWN_VALUE ? `${text.slice(0, SHOWN_VALUE)}…` : text;
}
