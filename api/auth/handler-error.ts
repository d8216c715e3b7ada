import { validateHeaderName, validateHeaderValue } from 'node:http';
import { ColloquyError } from '../../protocol/index.js';
import { errorWithAnswer } from '../http/errors.js';

/**
 * The name of the class that the SDK and Hono both have. Their errors carry no brand, and a project
 * has its own copies of both; a bundler may put `_` before a name, or a number behind it.
 */
const HTTP_EXCEPTION = /^_?HTTPException\d*$/;

/** Headers of the connection, and those that describe the body, which is ours: plain text. */
const NOT_SENT = new Set([
  ...['connection', 'keep-alive', 'proxy-connection', 'te', 'trailer', 'transfer-encoding', 'upgrade'],
  ...['proxy-authenticate', 'proxy-authorization'],
  ...['content-length', 'content-type', 'content-encoding'],
]);

interface HttpException {
  status: number;
  message: string;
  /** Of the SDK's. */
  headers?: unknown;
  /** Of Hono's. */
  res?: Response;
}

/**
 * Calls a handler of a project's auth. An `HTTPException` of the SDK or of Hono is an answer to the
 * client: status, text and headers. Any other error is `internal`: its text may hold secrets, as
 * the error of a client of another server does.
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

/** Whether its class, or one that it extends, has the name. */
function isNamed(error: object): boolean {
  for (let at: unknown = Object.getPrototypeOf(error); at !== null; at = Object.getPrototypeOf(at)) {
    const { constructor } = at as { constructor?: { name?: unknown } };
    if (typeof constructor?.name === 'string' && HTTP_EXCEPTION.test(constructor.name)) return true;
  }
  return false;
}

async function withAnswer(error: HttpException): Promise<Error> {
  const { status, message, res } = error;
  const text = message === '' && res !== undefined ? await res.clone().text() : message;
  const headers = [...headersOf(error.headers), ...headersOf(res?.headers)];
  return errorWithAnswer({ status, message: text, headers }, error);
}

/** Whatever `HeadersInit` allows; what no header may hold is left out. */
function headersOf(given: unknown): [string, string][] {
  if (typeof given !== 'object' || given === null) return [];
  const pairs = Symbol.iterator in given ? [...(given as Iterable<[string, unknown]>)] : Object.entries(given);
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
