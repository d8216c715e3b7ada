import { ColloquyError, errorCode, isNetworkError, type ErrorCode, type RunError } from '../protocol/index.js';

/** What the activity must know of an error that ended a step. */
export interface StepFailure {
  /** `infrastructure`: ours or a server's, always retried. `transient`: the node's, worth another attempt. `final`: the node's. */
  kind: 'infrastructure' | 'transient' | 'final';
  error: RunError;
  retryAfterMs?: number;
  cause: unknown;
}

/** Codes that our own saver and log throw into the graph's run. */
const INFRASTRUCTURE: ReadonlySet<ErrorCode> = new Set(['fence_lost', 'unavailable', 'internal']);

const TRANSIENT_STATUS = new Set([408, 409, 425, 429, 500, 502, 503, 504, 529]);
const TRANSIENT_NAMES = new Set([
  'APIConnectionError',
  'APIConnectionTimeoutError',
  'TimeoutError',
  'NodeTimeoutError',
]);
const TRANSIENT_MESSAGE =
  /^(terminated|fetch failed|Premature close|socket hang up|other side closed|Connection error\.?)$/;

/** Sorts an error that a graph threw. `infrastructure` errors of ours carry a code; everything else came out of a node. */
export function classifyFailure(cause: unknown): StepFailure {
  const error = describeError(cause);
  const code = errorCode(cause);
  if (code !== undefined && INFRASTRUCTURE.has(code)) return { kind: 'infrastructure', error, cause };
  if (code === 'graph_transient' || (code === undefined && isTransient(cause))) {
    const retryAfterMs = retryAfter(cause);
    return { kind: 'transient', error, cause, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  }
  return { kind: 'final', error, cause };
}

/** Name and message of any thrown value, as clients see them. */
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
  if (http !== undefined) return TRANSIENT_STATUS.has(http);
  if (isNetworkError(cause)) return true;
  if (typeof name === 'string' && TRANSIENT_NAMES.has(name)) return true;
  if (typeof message === 'string' && TRANSIENT_MESSAGE.test(message)) return true;
  if (Array.isArray(errors) && errors.length > 0) return errors.every((error) => isTransient(error, depth + 1));
  return isTransient((cause as { cause?: unknown }).cause, depth + 1);
}

/** `retry-after` (seconds or a date) and `retry-after-ms` of the answer an HTTP client's error carries, in ms. */
function retryAfter(cause: unknown): number | undefined {
  if (typeof cause !== 'object' || cause === null) return undefined;
  const { retryAfterMs, headers, response, cause: inner } = cause as Record<string, unknown>;
  if (typeof retryAfterMs === 'number') return retryAfterMs;
  const from = headers ?? (response as { headers?: unknown } | undefined)?.headers;
  const ms = Number(header(from, 'retry-after-ms') ?? Number.NaN);
  if (ms >= 0) return ms;
  const text = header(from, 'retry-after');
  if (text === undefined) return retryAfter(inner);
  const seconds = Number(text);
  const delay = Number.isNaN(seconds) ? Date.parse(text) - Date.now() : seconds * 1000;
  return Number.isNaN(delay) ? undefined : Math.max(0, delay);
}

function header(headers: unknown, name: string): string | undefined {
  if (typeof headers !== 'object' || headers === null) return undefined;
  if ('get' in headers && typeof headers.get === 'function') {
    return (headers as Headers).get(name) ?? undefined;
  }
  const value = (headers as Record<string, unknown>)[name];
  return typeof value === 'string' ? value : undefined;
}
