import type { ErrorRequestHandler, RequestHandler } from 'express';
import { ColloquyError, errorCode, type ErrorCode } from '../../protocol/index.js';

/**
 * HTTP status of each error code. The body of an error answer is plain text, because LangGraph's
 * clients show it as `HTTP 404: <body>`.
 */
export const STATUS_OF: Readonly<Record<ErrorCode, number>> = {
  invalid_argument: 422,
  unsupported: 422,
  not_found: 404,
  already_exists: 409,
  conflict: 409,
  queue_full: 429,
  too_large: 413,
  forbidden: 403,
  unauthenticated: 401,
  thread_closed: 404,
  fence_lost: 409,
  graph_failed: 500,
  graph_transient: 503,
  unavailable: 503,
  internal: 500,
};

/**
 * The lowest status of an error that is the server's fault. Such an error is reported to the
 * operator. The client gets no details of an internal or unknown error.
 */
const FIRST_SERVER_ERROR = 500;

interface ErrorAnswer {
  status: number;
  message: string;
  retryAfterMs?: number;
  /** Headers of this answer, in addition to the headers that every answer has. */
  headers?: readonly (readonly [name: string, value: string])[];
}

/**
 * HTTP answers that a project's code has chosen. The key is the error to which the answer belongs.
 */
const chosenAnswers = new WeakMap<object, ErrorAnswer>();

/** Creates an error for which the API sends this answer. */
export function errorWithAnswer(answer: ErrorAnswer, cause: unknown): Error {
  const error = new Error(answer.message, { cause });
  chosenAnswers.set(error, answer);
  return error;
}

const INTERNAL: ErrorAnswer = { status: STATUS_OF.internal, message: 'internal error' };

/** Returns the HTTP answer to a request whose handling has thrown this error. */
export function answerTo(error: unknown): ErrorAnswer {
  const chosen = typeof error === 'object' && error !== null ? chosenAnswers.get(error) : undefined;
  if (chosen !== undefined) return chosen;
  const code = errorCode(error);
  // The message of an internal error is only for the operator, because it may quote a value that a
  // project's code returned.
  if (code === 'internal') return INTERNAL;
  if (code !== undefined) {
    const { message, retryAfterMs } = error as ColloquyError;
    return { status: STATUS_OF[code], message, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  }
  return bodyFault(error) ?? INTERNAL;
}

/**
 * Returns the HTTP answer to an error of the body parser, which has its own type and status.
 * Returns undefined for any other error.
 */
function bodyFault(error: unknown): ErrorAnswer | undefined {
  const { type, status, message, limit } = error as {
    type?: unknown;
    status?: unknown;
    message?: unknown;
    limit?: unknown;
  };
  if (type === 'entity.too.large')
    return { status: 413, message: `request body is larger than the limit of ${String(limit)} bytes` };
  if (type === 'entity.parse.failed')
    return { status: 400, message: `request body is not valid JSON: ${String(message)}` };
  if (typeof status !== 'number' || status < 400 || status >= FIRST_SERVER_ERROR) return undefined;
  return { status, message: String(message) };
}

function notFound(message: string): ColloquyError {
  return new ColloquyError('not_found', message);
}

export const unknownRoute: RequestHandler = (req, _res, next) => {
  next(notFound(`Not Found: ${req.method} ${req.path} is not served here`));
};

/**
 * Creates the last error handler of the Express app, which turns errors into answers. If the
 * response has already begun, its connection is destroyed, so that the client knows that the
 * response is incomplete.
 */
export function errorHandler(report: (error: unknown, where: string) => void): ErrorRequestHandler {
  return (error: unknown, req, res, _next) => {
    const answer = answerTo(error);
    if (answer.status >= FIRST_SERVER_ERROR) report(error, `${req.method} ${req.path}`);
    if (res.headersSent) {
      res.destroy();
      return;
    }
    if (answer.retryAfterMs !== undefined) res.setHeader('Retry-After', Math.ceil(answer.retryAfterMs / 1000));
    for (const [name, values] of grouped(answer.headers ?? [])) res.setHeader(name, values);
    res.status(answer.status).type('text/plain').send(answer.message);
  };
}

/**
 * Groups header values by the name of the header, because a header such as `set-cookie` can have
 * several values.
 */
function grouped(headers: NonNullable<ErrorAnswer['headers']>): Map<string, string[]> {
  const names = new Set(headers.map(([name]) => name));
  const valuesOf = (name: string) => headers.filter(([one]) => one === name).map(([, value]) => value);
  return new Map([...names].map((name) => [name, valuesOf(name)]));
}
