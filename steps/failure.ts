import {
  ColloquyError,
  errorCode,
  isNetworkError,
  isRetryable,
  isRetryableStatus,
  MAX_RETRY_AFTER_MS,
  parseRetryAfter,
  type RunError,
} from '../protocol/index.js';

/** What the step activity needs to know about an error that ended a step. */
export interface StepFailure {
  /**
   * `infrastructure`: an error of Colloquy or of a server that Colloquy needs. The error has a
   * retryable code, and the step is always retried. `transient`: an error of a node; another
   * attempt may succeed. `final`: any other error.
   */
  kind: 'infrastructure' | 'transient' | 'final';
  error: RunError;
  retryAfterMs?: number;
  cause: unknown;
}

/**
 * Names and messages of transient errors without a status or a code: errors of HTTP clients, and
 * LangGraph's `NodeTimeoutError`.
 */
const TRANSIENT_NAMES = new Set([
  'APIConnectionError',
  'APIConnectionTimeoutError',
  'TimeoutError',
  'NodeTimeoutError',
]);
const TRANSIENT_MESSAGE =
  /^(terminated|fetch failed|Premature close|socket hang up|other side closed|Connection error\.?)$/;

/**
 * Classifies an error that a step threw. Colloquy's own errors have a code; any other error came
 * from a node. The code `graph_transient` also stands for a transient error of a node.
 */
export function classifyFailure(cause: unknown): StepFailure {
  const error = describeError(cause);
  const code = errorCode(cause);
  const isTransientNode = code === undefined ? isTransient(cause) : code === 'graph_transient';
  if (isTransientNode) {
    const retryAfterMs = retryAfterOf(cause);
    return { kind: 'transient', error, cause, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  }
  const isInfrastructure = code !== undefined && isRetryable(code);
  return { kind: isInfrastructure ? 'infrastructure' : 'final', error, cause };
}

/** Returns the name and message of any thrown value, as clients see them. */
export function describeError(cause: unknown): RunError {
  if (cause instanceof ColloquyError) return { error: cause.errorName ?? cause.name, message: cause.message };
  if (typeof cause === 'object' && cause !== null && 'message' in cause) {
    const { name, message } = cause as { name?: unknown; message: unknown };
    return { error: typeof name === 'string' && name !== '' ? name : 'Error', message: String(message) };
  }
  return { error: 'Error', message: typeof cause === 'string' ? cause : (JSON.stringify(cause) ?? String(cause)) };
}

function isTransient(cause: unknown, depth = 0): boolean {
  if (typeof cause !== 'object' || cause === null || depth > 5) return false;
  const { status, statusCode, name, message, errors } = cause as Record<string, unknown>;
  const http = typeof status === 'number' ? status : typeof statusCode === 'number' ? statusCode : undefined;
  if (http !== undefined) return isRetryableStatus(http);
  if (isNetworkError(cause)) return true;
  if (typeof name === 'string' && TRANSIENT_NAMES.has(name)) return true;
  if (typeof message === 'string' && TRANSIENT_MESSAGE.test(message)) return true;
  if (Array.isArray(errors) && errors.length > 0) return errors.every((error) => isTransient(error, depth + 1));
  return isTransient((cause as { cause?: unknown }).cause, depth + 1);
}

/**
 * Returns the pause in ms that an HTTP server, such as a model provider, asked for. Reads it from
 * the field `retryAfterMs` of the error, or from the header `retry-after-ms` or `retry-after`: HTTP
 * clients attach the response headers to the error that they throw. If the error has none of these,
 * reads the pause from its `cause` in the same way. Returns undefined if no pause is found.
 */
function retryAfterOf(cause: unknown): number | undefined {
  if (typeof cause !== 'object' || cause === null) return undefined;
  const { retryAfterMs, headers, response, cause: inner } = cause as Record<string, unknown>;
  if (typeof retryAfterMs === 'number') return Math.min(retryAfterMs, MAX_RETRY_AFTER_MS);
  const from = headers ?? (response as { headers?: unknown } | undefined)?.headers;
  const ms = Number(header(from, 'retry-after-ms') ?? Number.NaN);
  if (ms >= 0) return Math.min(ms, MAX_RETRY_AFTER_MS);
  const text = header(from, 'retry-after');
  return text === undefined ? retryAfterOf(inner) : parseRetryAfter(text);
}

function header(headers: unknown, name: string): string | undefined {
  if (typeof headers !== 'object' || headers === null) return undefined;
  if ('get' in headers && typeof headers.get === 'function') {
    return (headers as Headers).get(name) ?? undefined;
  }
  const value = (headers as Record<string, unknown>)[name];
  return typeof value === 'string' ? value : undefined;
}
