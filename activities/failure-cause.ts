import { shortRunError } from '../protocol/index.js';
import { describeError, readField, wellFormed } from '../steps/index.js';

/** How many levels of `cause` Temporal gets. */
const MAX_LEVELS = 4;
const LIMITS = { name: 200, message: 1_000 };
const MAX_STACK_CHARACTERS = 3_000;
const FRAME = /^ {4}at /;

/**
 * Returns a copy of an error for the `cause` of a failure. Temporal's converter follows `cause`
 * without end, copies texts of any length, and reads fields that may be getters. So it gets a copy
 * with short texts, plain fields and few levels. Returns nothing for a value that is no object.
 */
export function causeOf(cause: unknown): { cause?: Error } {
  const copy = copyOf(cause, new Set());
  return copy === undefined ? {} : { cause: copy };
}

function copyOf(value: unknown, seen: Set<unknown>): Error | undefined {
  if (typeof value !== 'object' || value === null || seen.has(value) || seen.size >= MAX_LEVELS) return undefined;
  seen.add(value);
  const { error, message } = shortRunError(describeError(value), undefined, LIMITS);
  const inner = copyOf(readField(value, 'cause'), seen);
  const copy = new Error(message, inner === undefined ? undefined : { cause: inner });
  copy.name = error;
  copy.stack = [`${error}: ${message}`, ...framesOf(readField(value, 'stack'))].join('\n');
  return copy;
}

/** Returns the first frames of a stack. The text before them repeats the message of the error. */
function framesOf(stack: unknown): string[] {
  if (typeof stack !== 'string') return [];
  const frames: string[] = [];
  let left = MAX_STACK_CHARACTERS;
  for (const line of stack.split('\n')) {
    if (!FRAME.test(line)) continue;
    left -= line.length;
    if (left < 0) break;
    frames.push(wellFormed(line));
  }
  return frames;
}
