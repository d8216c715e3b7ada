import { ColloquyError, errorCode, isNetworkError } from '../protocol/index.js';
import { describeError, readField } from '../steps/index.js';
import type { PlainError } from './messages.js';

/** How many causes of an error are sent with it. An error may be its own cause. */
const MOST_CAUSES = 5;

/** Converts any thrown value to plain data. */
export function toPlainError(cause: unknown, causes = MOST_CAUSES): PlainError {
  const { error, message } = describeError(cause);
  const code = errorCode(cause);
  const { field, errorName, retryAfterMs } = (code === undefined ? {} : cause) as Partial<ColloquyError>;
  const stack = readField(cause, 'stack');
  const inner = causes === 0 ? undefined : readField(cause, 'cause');
  return {
    name: error,
    message,
    ...(code !== undefined && { code }),
    ...(field !== undefined && { field }),
    ...(errorName !== undefined && { errorName }),
    ...(retryAfterMs !== undefined && { retryAfterMs }),
    ...(code === undefined && isNetworkError(cause) && { networkCode: String(readField(cause, 'code')) }),
    ...(typeof stack === 'string' && { stack }),
    ...(inner !== undefined && inner !== null && { cause: toPlainError(inner, causes - 1) }),
  };
}

/** Converts plain data back to an error. One of Colloquy's own errors keeps its code. */
export function fromPlainError(plain: PlainError): Error {
  const { name, message, code, field, errorName, retryAfterMs, networkCode, stack } = plain;
  const cause = plain.cause && fromPlainError(plain.cause);
  const error =
    code === undefined
      ? Object.assign(new Error(message, cause && { cause }), { name, ...(networkCode && { code: networkCode }) })
      : new ColloquyError(code, message, {
          ...(cause !== undefined && { cause }),
          ...(field !== undefined && { field }),
          ...(errorName !== undefined && { errorName }),
          ...(retryAfterMs !== undefined && { retryAfterMs }),
        });
  if (stack !== undefined) error.stack = stack;
  return error;
}
