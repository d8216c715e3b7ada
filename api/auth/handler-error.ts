import { validateHeaderName, validateHeaderValue } from 'node:http';
import { ColloquyError } from '../../protocol/index.js';
import { errorWithAnswer } from '../http/errors.js';

/**
 * The class name of an error with an HTTP status, in LangGraph's SDK and in Hono. `instanceof` does
 * not work, because a project has its own copies of both libraries. The errors also have no field
 * that identifies them, so only the class name is left. A bundler may put `_` before a class name,
 * or a number behind it.
 */
const HTTP_EXCEPTION = /^_?HTTPException\d*$/;

/**
 * An `HTTPException` that an auth handler throws may have headers. Those in this list are not sent
 * to the client, because they describe a connection or a body. The client gets another body: the
 * text of the exception.
 */
const NOT_SENT = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
  ...['proxy-authenticate', 'proxy-authorization'],
  ...['content-length', 'content-type', 'content-encoding'],
]);

interface HttpException {
  status: number;
  message: string;
  /** The headers of the HTTP answer. Only the `HTTPException` of LangGraph's SDK has this field. */
  headers?: unknown;
  /** The whole HTTP answer. Only the `HTTPException` of Hono has this field. */
  res?: Response;
}

/**
 * Calls a handler of a project's auth. If it throws an `HTTPException` of the SDK or of Hono, the
 * client gets the status, text and headers of the exception. Any other error becomes `internal`.
 * The client does not get the text of an `internal` error, which may hold secrets of another
 * service.
 */
export async function callHandler<T>(name: string, handler: () => T): Promise<Awaited<T>> {
  try {
    return await handler();
  } catch (error) {
    if (isHttpException(error)) throw await withAnswer(error);
    const message = error instanceof Error ? error.message : String(error);
    throw new ColloquyError('internal', `auth: the handler of ${name} threw: ${message}`, { cause: error });
  }
}

function isHttpException(error: unknown): error is HttpException {
  if (typeof error !== 'object' || error === null) return false;
  const { status } = error as { status?: unknown };
  return Number.isInteger(status) && (status as number) >= 400 && (status as number) <= 599 && isNamed(error);
}

/** Returns true if the class of the error, or a class that it extends, is named `HTTPException`. */
function isNamed(error: object): boolean {
  let prototype: unknown = Object.getPrototypeOf(error);
  for (; prototype !== null; prototype = Object.getPrototypeOf(prototype)) {
    const { constructor } = prototype as { constructor?: { name?: unknown } };
    if (typeof constructor?.name === 'string' && HTTP_EXCEPTION.test(constructor.name)) return true;
  }
  return false;
}

async function withAnswer(error: HttpException): Promise<Error> {
  const { status, message, res } = error;
  const text = message === '' && res !== undefined ? await res.clone().text() : message;
  const headers = [...validHeaders(error.headers), ...validHeaders(res?.headers)];
  return errorWithAnswer({ status, message: text, headers }, error);
}

/**
 * Reads headers in any form that `HeadersInit` allows. Drops invalid headers and those in
 * `NOT_SENT`.
 */
function validHeaders(headers: unknown): [string, string][] {
  if (typeof headers !== 'object' || headers === null) return [];
  const pairs = Symbol.iterator in headers ? [...(headers as Iterable<[string, unknown]>)] : Object.entries(headers);
  return pairs
    .flatMap(([name, value]) => [value].flat().map((one): [string, string] => [name.toLowerCase(), String(one)]))
    .filter(([name, value]) => !NOT_SENT.has(name) && isValid(name, value));
}

function isValid(name: string, value: string): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}
