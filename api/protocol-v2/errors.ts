import { ColloquyError, errorCode, type ErrorCode } from '../../protocol/index.js';
import { answerTo } from '../http/errors.js';

/** The closed list of `@langchain/protocol`. */
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
export type ProtocolErrorCode = (typeof PROTOCOL_ERRORS)[number];

const WORDS: ReadonlySet<string> = new Set(PROTOCOL_ERRORS);

/** What a command answers for each error; those that the list has no word for are `unknown_error`, with their message. */
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

export interface Refusal {
  code: ProtocolErrorCode;
  message: string;
}

/** An error that the protocol has a word of its own for. */
export function refused(code: ProtocolErrorCode, message: string): ColloquyError {
  return new ColloquyError('invalid_argument', message, { errorName: code });
}

export function refusalOf(error: unknown): Refusal {
  const code = errorCode(error);
  const { errorName } = (error ?? {}) as { errorName?: ProtocolErrorCode };
  const word = errorName !== undefined && WORDS.has(errorName) ? errorName : code && CODE_OF[code];
  return { code: word ?? 'unknown_error', message: answerTo(error).message };
}

/** Says a `not_found` in the protocol's word for what is missing. */
export async function orRefused<T>(promise: Promise<T>, code: ProtocolErrorCode, message: string): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    if (errorCode(error) !== 'not_found') throw error;
    throw new ColloquyError('not_found', message, { errorName: code, cause: error });
  }
}
