import { asPlatformError } from '../database/index.js';
import { errorCode, isRetryable, type ErrorCode } from '../protocol/index.js';
import { classifyFailure, describeError } from '../steps/index.js';
import type { AttemptFailure } from './ports.js';

/**
 * These errors say that the thread is being deleted. The next attempt finds no record of the run
 * any more, and then does nothing.
 */
const GONE: ReadonlySet<ErrorCode> = new Set(['not_found', 'thread_closed']);

/**
 * Describes an error of the code around the graph: of a record, of the event log or of the body of a
 * webhook. The kind is `final` if another attempt would get the same error, such as `too_large`.
 */
export function failureOutside(thrown: unknown): AttemptFailure {
  const cause = platformErrorOf(thrown);
  const code = errorCode(cause);
  return {
    kind: isPermanent(cause) ? 'final' : 'infrastructure',
    error: describeError(cause),
    ...(code !== undefined && { code }),
  };
}

/** Returns whether an error outside of the graph would be the same in every later attempt. */
export function isPermanent(thrown: unknown): boolean {
  const cause = platformErrorOf(thrown);
  const code = errorCode(cause);
  if (code !== undefined) return !isRetryable(code) && !GONE.has(code);
  // An error without a code, such as a TypeError, comes from our own code. The same values of the run
  // would cause it again.
  return classifyFailure(cause).kind === 'final';
}

function platformErrorOf(thrown: unknown): unknown {
  return asPlatformError(thrown, 'the records of the run cannot be stored');
}
