import { ColloquyError, errorCode } from '../protocol/index.js';
import { describeError } from '../steps/index.js';
import type { PlainError } from './messages.js';

/** Converts any thrown value to plain data. */
export function toPlainError(cause: unknown): PlainError {
  const { error, message } = describeError(cause);
  const code = errorCode(cause);
  const { field, errorName, stack } = (code === undefined ? {} : cause) as Partial<ColloquyError>;
  return {
    name: error,
    message,
    ...(code !== undefined && { code }),
    ...(field !== undefined && { field }),
    ...(errorName !== undefined && { errorName }),
    ...(stack !== undefined && { stack }),
  };
}

/** Converts plain data back to an error. One of Colloquy's own errors keeps its code. */
export function fromPlainError({ name, message, code, field, errorName, stack }: PlainError): Error {
  if (code === undefined) return Object.assign(new Error(message), { name });
  const error = new ColloquyError(code, message, {
    ...(field !== undefined && { field }),
    ...(errorName !== undefined && { errorName }),
  });
  if (stack !== undefined) error.stack = stack;
  return error;
}
