import { ColloquyError, errorCode, type ErrorCode } from '../../protocol/index.js';
import { answerTo } from '../http/errors.js';

/** The closed list of error codes in `@langchain/protocol`. */
const PROTOCOL_ERRORS = [
  'invalid_argument',
  'unknown_command',
  'unknown_error',
  'no_such_run',
  'no_such_subscription',
  'no_such_namespace',
  'no_such_interrupt',
  'no_such_checkpoint',
  'permission_denied',
  'not_supported',
] as const;
type ProtocolErrorCode = (typeof PROTOCOL_ERRORS)[number];

const ERROR_CODES: ReadonlySet<string> = new Set(PROTOCOL_ERRORS);

/**
 * For each Colloquy error code, the error code of protocol v2. An error with any other code becomes
 * `unknown_error`.
 */
const CODE_OF: Partial<Record<ErrorCode, ProtocolErrorCode>> = {
  invalid_argument: 'invalid_argument',
  too_large: 'invalid_argument',
  conflict: 'invalid_argument',
  not_found: 'invalid_argument',
  thread_closed: 'invalid_argument',
  unsupported: 'not_supported',
  forbidden: 'permission_denied',
  unauthenticated: 'permission_denied',
};

interface ProtocolError {
  code: ProtocolErrorCode;
  message: string;
}

/** Creates an error that has an error code of protocol v2. */
export function protocolError(code: ProtocolErrorCode, message: string): ColloquyError {
  return new ColloquyError('invalid_argument', message, { errorName: code });
}

export function protocolErrorOf(error: unknown): ProtocolError {
  const code = errorCode(error);
  const { errorName } = (error ?? {}) as { errorName?: ProtocolErrorCode };
  const protocolCode = errorName !== undefined && ERROR_CODES.has(errorName) ? errorName : code && CODE_OF[code];
  return { code: protocolCode ?? 'unknown_error', message: answerTo(error).message };
}

/**
 * Waits for the promise. If it rejects with `not_found`, throws an error with the given protocol
 * code and message instead.
 */
export async function orProtocolError<T>(promise: Promise<T>, code: ProtocolErrorCode, message: string): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    if (errorCode(error) !== 'not_found') throw error;
    throw new ColloquyError('not_found', message, { errorName: code, cause: error });
  }
}
