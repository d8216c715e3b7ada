/**
 * The closed list of error codes. A code means the same in every room and on every wire; the API maps it to a
 * status, the activities to "retry or not". Adding one means adding it to both tables.
 */
export const ERROR_CODES = [
  'invalid_argument', // the caller sent something wrong; the message names the field and the value
  'unsupported', // understood, but not served here; never dropped in silence
  'not_found',
  'already_exists',
  'conflict', // the thing is in a state that does not allow this (thread busy with `reject`, nothing to resume)
  'queue_full',
  'too_large',
  'forbidden',
  'unauthenticated',
  'thread_closed', // the conversation is being deleted
  'fence_lost', // another executor owns the thread now; this writer must stop
  'graph_failed', // a node threw; not transient
  'graph_transient', // a node threw something transient (429, 5xx, network): worth another attempt
  'unavailable', // a server we need does not answer
  'internal',
] as const;

export type ErrorCode = (typeof ERROR_CODES)[number];

export interface ErrorDetails {
  /** The original error; kept for logs, never sent to clients. */
  cause?: unknown;
  /** Request field the error is about, dotted: `config.configurable.thread_id`. */
  field?: string;
  /** Milliseconds to wait before another attempt makes sense. */
  retryAfterMs?: number;
  /** Name of the error a user's code threw, as LangGraph's clients show it (`error` of the error event). */
  errorName?: string;
}

/**
 * The one error class. Its message names the thing and its values: `thread t_42 is closed; cannot accept run r_7`.
 * Across sandbox and wire recognise it with {@link errorCode}, never with `instanceof`.
 */
export class ColloquyError extends Error {
  override readonly name = 'ColloquyError';
  readonly code: ErrorCode;
  readonly field?: string;
  readonly retryAfterMs?: number;
  readonly errorName?: string;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    if (details.field !== undefined) this.field = details.field;
    if (details.retryAfterMs !== undefined) this.retryAfterMs = details.retryAfterMs;
    if (details.errorName !== undefined) this.errorName = details.errorName;
  }
}

/** The code of an error of ours, wherever it was thrown; `undefined` for any other value. */
export function errorCode(error: unknown): ErrorCode | undefined {
  if (typeof error !== 'object' || error === null) return undefined;
  const { name, code } = error as { name?: unknown; code?: unknown };
  if (name !== 'ColloquyError' || typeof code !== 'string') return undefined;
  return (ERROR_CODES as readonly string[]).includes(code) ? (code as ErrorCode) : undefined;
}

/** The result, or undefined where the error is `not_found`; every other error is thrown on. */
export async function ifFound<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (errorCode(error) !== 'not_found') throw error;
    return undefined;
  }
}

/** Codes that Node gives the error of a connection that broke or could not be made. */
const NETWORK_ERROR_CODES: ReadonlySet<unknown> = new Set([
  'ECONNRESET',
  'ECONNREFUSED',
  'ECONNABORTED',
  'ETIMEDOUT',
  'EPIPE',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ERR_STREAM_DESTROYED',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
]);

/**
 * The error of a connection, as Node or its `fetch` threw it. Libraries wrap most of them in errors of their own, but not all: a command of
 * the MongoDB driver that meets a closed socket while it waits for the socket to drain rejects with the socket's own error.
 */
export function isNetworkError(error: unknown): boolean {
  return typeof error === 'object' && error !== null && NETWORK_ERROR_CODES.has((error as { code?: unknown }).code);
}
