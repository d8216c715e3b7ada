/**
 * All error codes. The value of a code says whether the same work may succeed if it is repeated. No
 * other table says which errors are retryable: activities derive their retry rules from this one.
 * The API maps the codes to HTTP statuses in a table of its own, so a new code needs an entry in
 * both tables.
 */
const RETRYABLE = {
  invalid_argument: false, // the caller sent something wrong; the message names the field and the value
  unsupported: false, // the request is understood but not served; it is never ignored silently
  not_found: false,
  already_exists: false,
  conflict: false, // the state does not allow the request: thread busy with `reject`, nothing to resume
  queue_full: false, // the caller decides when to try again
  too_large: false,
  forbidden: false,
  unauthenticated: false,
  thread_closed: false, // the conversation is being deleted
  fence_lost: true, // another writer has a higher fence; this writer must stop, a new attempt continues
  graph_failed: false, // a node threw an error that is not transient
  graph_transient: true, // a node threw a transient error: 429, 5xx, network
  unavailable: true, // a server that we need does not answer
  internal: true,
} as const satisfies Record<string, boolean>;

export type ErrorCode = keyof typeof RETRYABLE;

export const ERROR_CODES = Object.keys(RETRYABLE) as readonly ErrorCode[];

export function isRetryable(code: ErrorCode): boolean {
  return RETRYABLE[code];
}

export interface ErrorDetails {
  /** The original error; kept for logs, never sent to clients. */
  cause?: unknown;
  /**
   * The request field that the error is about, as a path with dots:
   * `config.configurable.thread_id`.
   */
  field?: string;
  /** Milliseconds to wait before the next attempt. */
  retryAfterMs?: number;
  /**
   * Name of the error, as clients see it. If a project's code threw the error, this is the name
   * that the project gave it. It becomes the field `error` in the data of the event `error`. For an
   * error of protocol v2, this is an error code of that protocol.
   */
  errorName?: string;
}

/**
 * The error class of Colloquy. Only invalid settings and command lines have error classes of their
 * own. Each message names what the error is about, with its values:
 * `thread t_42 is closed; cannot accept run r_7`. Use {@link errorCode} to recognise such an error.
 * It recognises neither an error from another process nor one from the workflow sandbox: both
 * arrive as failures of Temporal.
 */
export class ColloquyError extends Error {
  override readonly name = 'ColloquyError';
  /**
   * A private copy of `code`. Only this class can set it, so it also proves that the error is one
   * of ours. A node may throw an error with any `name` and `code`.
   */
  readonly #code: ErrorCode;
  readonly code: ErrorCode;
  readonly field?: string;
  readonly retryAfterMs?: number;
  readonly errorName?: string;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.#code = code;
    this.code = code;
    if (details.field !== undefined) this.field = details.field;
    if (details.retryAfterMs !== undefined) this.retryAfterMs = details.retryAfterMs;
    if (details.errorName !== undefined) this.errorName = details.errorName;
  }

  /** See {@link errorCode}. */
  static codeOf(error: unknown): ErrorCode | undefined {
    return typeof error === 'object' && error !== null && #code in error ? error.#code : undefined;
  }
}

/**
 * Returns the code of a {@link ColloquyError}, or undefined for any other value. Never throws, and
 * runs no code of the value. An error of a project's code with the same `name` and `code` is not
 * recognised.
 */
export function errorCode(error: unknown): ErrorCode | undefined {
  return ColloquyError.codeOf(error);
}

/** Returns the value of the promise, or undefined if the promise rejects with `not_found`. */
export async function ifFound<T>(result: Promise<T>): Promise<T | undefined> {
  try {
    return await result;
  } catch (error) {
    if (errorCode(error) !== 'not_found') throw error;
    return undefined;
  }
}

/**
 * HTTP statuses after which the same request may succeed later. 529 is Anthropic's "overloaded".
 */
const RETRYABLE_STATUSES: ReadonlySet<number> = new Set([408, 409, 425, 429, 500, 502, 503, 504, 529]);

export function isRetryableStatus(status: number): boolean {
  return RETRYABLE_STATUSES.has(status);
}

/** Error codes of Node for a connection that broke or failed to open. */
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
 * Returns whether Node or its `fetch` threw this error for a broken connection. Libraries wrap most
 * of these errors in errors of their own, but not all. For example, a command of the MongoDB driver
 * may wait until its socket has drained. If the socket breaks meanwhile, the command rejects with
 * the error of the socket.
 */
export function isNetworkError(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  try {
    return NETWORK_ERROR_CODES.has((error as { code?: unknown }).code);
  } catch {
    return false; // the field `code` of an error of a node may be a getter that throws
  }
}
