import {
  errorCode,
  isNetworkError,
  isRetryable,
  isRetryableStatus,
  MAX_RETRY_AFTER_MS,
  parseRetryAfter,
  type RunError,
} from '../protocol/index.js';
import { attempt, isObject, readField, textOf, wellFormed } from './thrown-value.js';

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

/** How many levels of `cause` and `errors` are searched for a transient error or a pause. */
const MAX_DEPTH = 5;
/** How many errors are searched in all. An `AggregateError` may contain itself. */
const MAX_INNER_ERRORS = 10_000;

/** V8's messages if a field is set on a value that cannot have it. */
const MARKED_PRIMITIVE =
  /^Cannot create property 'pregelTaskId' on (?:string|number|boolean|bigint|symbol) '([\s\S]*)'$/;
const MARKED_NOTHING = /^Cannot set properties of (undefined|null) \(setting 'pregelTaskId'\)$/;
const MARKED_OBJECT =
  /^(?:Cannot add property pregelTaskId,|Cannot set property pregelTaskId of|Cannot assign to read only property 'pregelTaskId'|'(?:set|defineProperty)' on proxy: .*'pregelTaskId')/;
const REVOKED_PROXY = /^Cannot perform 'set' on a proxy that has been revoked$/;

/**
 * Classifies an error that a step threw. Colloquy's own errors have a code; any other error came
 * from a node. The code `graph_transient` also stands for a transient error of a node. Never throws,
 * whatever a node has thrown.
 */
export function classifyFailure(cause: unknown): StepFailure {
  const error = describeError(cause);
  const code = errorCode(cause);
  // `attempt`: a list of errors may be a proxy whose traps throw.
  const isTransientNode = code === undefined ? attempt(() => isTransient(cause)) : code === 'graph_transient';
  if (isTransientNode) {
    const retryAfterMs = retryAfterOf(cause);
    return { kind: 'transient', error, cause, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  }
  const isInfrastructure = code !== undefined && isRetryable(code);
  return { kind: isInfrastructure ? 'infrastructure' : 'final', error, cause };
}

/**
 * Returns the name and message of any thrown value, as clients see them. The texts are valid
 * Unicode and may have any length. Never throws.
 */
export function describeError(cause: unknown): RunError {
  const { error, message } = refusedMark(cause) ?? namesOf(cause);
  return { error: wellFormed(error), message: wellFormed(message) };
}

function namesOf(cause: unknown): RunError {
  if (!isObject(cause)) return { error: 'Error', message: textOf(cause) };
  const { errorName, name } = namesIn(cause);
  const message = readField(cause, 'message');
  return {
    error: errorName ?? name ?? 'Error',
    message: textOf(message === undefined || message === null ? cause : message),
  };
}

function namesIn(cause: object): { errorName?: string | undefined; name?: string | undefined } {
  // The name of a function is not the name of an error.
  if (typeof cause === 'function') return {};
  const errorName = errorCode(cause) === undefined ? undefined : readField(cause, 'errorName');
  return { errorName: nonEmpty(errorName), name: nonEmpty(readField(cause, 'name')) };
}

function nonEmpty(text: unknown): string | undefined {
  return typeof text === 'string' && text !== '' ? text : undefined;
}

/**
 * LangGraph sets the field `pregelTaskId` on everything that a node throws. If it cannot, a
 * `TypeError` about this field replaces what the node has thrown. Returns the error that the node
 * has thrown, as far as the message of the `TypeError` shows it. Returns undefined for any other
 * error.
 */
function refusedMark(cause: unknown): RunError | undefined {
  const message = readField(cause, 'message');
  if (typeof message !== 'string' || readField(cause, 'name') !== 'TypeError') return undefined;
  if (!message.includes('pregelTaskId')) return REVOKED_PROXY.test(message) ? lostError(message) : undefined;
  const primitive = MARKED_PRIMITIVE.exec(message) ?? MARKED_NOTHING.exec(message);
  if (primitive?.[1] !== undefined) return { error: 'Error', message: primitive[1] };
  return MARKED_OBJECT.test(message) ? lostError(message) : undefined;
}

function lostError(reason: string): RunError {
  const message = `a node threw an object that LangGraph cannot change, so its message is lost (${reason})`;
  return { error: 'TypeError', message };
}

function isTransient(cause: unknown, budget = { left: MAX_INNER_ERRORS }, depth = 0): boolean {
  budget.left -= 1;
  if (!isObject(cause) || depth > MAX_DEPTH || budget.left < 0) return false;
  const http = [readField(cause, 'status'), readField(cause, 'statusCode')].find((one) => typeof one === 'number');
  if (http !== undefined) return isRetryableStatus(http);
  if (isNetworkError(cause)) return true;
  const [name, message, errors] = ['name', 'message', 'errors'].map((field) => readField(cause, field));
  if (typeof name === 'string' && TRANSIENT_NAMES.has(name)) return true;
  if (typeof message === 'string' && TRANSIENT_MESSAGE.test(message)) return true;
  if (Array.isArray(errors) && errors.length > 0) {
    return errors.every((error) => isTransient(error, budget, depth + 1));
  }
  return isTransient(readField(cause, 'cause'), budget, depth + 1);
}

/**
 * Returns the pause in ms that an HTTP server, such as a model provider, asked for. Reads it from
 * the field `retryAfterMs` of the error, or from the header `retry-after-ms` or `retry-after`: HTTP
 * clients attach the response headers to the error that they throw. If the error has none of these,
 * reads the pause from its `cause` in the same way. Returns undefined if no pause is found.
 */
function retryAfterOf(cause: unknown, depth = 0): number | undefined {
  if (!isObject(cause) || depth > MAX_DEPTH) return undefined;
  const own = pauseOf(readField(cause, 'retryAfterMs'));
  if (own !== undefined) return own;
  const from = readField(cause, 'headers') ?? readField(readField(cause, 'response'), 'headers');
  const ms = header(from, 'retry-after-ms');
  const asked = ms === undefined ? undefined : pauseOf(Number(ms));
  if (asked !== undefined) return asked;
  const text = header(from, 'retry-after');
  return text === undefined ? retryAfterOf(readField(cause, 'cause'), depth + 1) : parseRetryAfter(text);
}

/** Returns a pause that Temporal accepts, in whole ms. Returns undefined if the value is no pause. */
function pauseOf(value: unknown): number | undefined {
  if (typeof value !== 'number' || !(value >= 0)) return undefined;
  return Math.ceil(Math.min(value, MAX_RETRY_AFTER_MS));
}

function header(headers: unknown, name: string): string | undefined {
  const value = attempt(() => {
    const isMap = typeof readField(headers, 'get') === 'function';
    return isMap ? (headers as Headers).get(name) : readField(headers, name);
  });
  return typeof value === 'string' ? value : undefined;
}
