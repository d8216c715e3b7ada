import type { ErrorRequestHandler, RequestHandler } from 'express';
import { ColloquyError, errorCode, type ErrorCode } from '../../protocol/index.js';

/** What a client sees of each error. Bodies are plain text, as LangGraph's clients read them: `HTTP 404: <body>`. */
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

/** Statuses whose cause is ours: the operator hears of them, the client learns no detail of an unknown error. */
const OUR_FAULT = 500;

export interface ErrorAnswer {
  status: number;
  message: string;
  retryAfterMs?: number;
  /** Beside those that every answer has. */
  headers?: readonly (readonly [name: string, value: string])[];
}

/** What code of a project may say instead of us. */
const givenAnswers = new WeakMap<object, ErrorAnswer>();

/** An error whose answer is given. */
export function errorWithAnswer(answer: ErrorAnswer, cause: unknown): Error {
  const error = new Error(answer.message, { cause });
  givenAnswers.set(error, answer);
  return error;
}

const INTERNAL: ErrorAnswer = { status: STATUS_OF.internal, message: 'internal error' };

/** The answer to any error that reached the edge. */
export function answerTo(error: unknown): ErrorAnswer {
  const given = typeof error === 'object' && error !== null ? givenAnswers.get(error) : undefined;
  if (given !== undefined) return given;
  const code = errorCode(error);
  // Its message is for the operator: it may quote what a project's code answered.
  if (code === 'internal') return INTERNAL;
  if (code !== undefined) {
    const { message, retryAfterMs } = error as ColloquyError;
    return { status: STATUS_OF[code], message, ...(retryAfterMs !== undefined && { retryAfterMs }) };
  }
  return bodyFault(error) ?? INTERNAL;
}

/** Errors of the body parser carry a type and a status of their own. */
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
  if (typeof status !== 'number' || status < 400 || status >= OUR_FAULT) return undefined;
  return { status, message: String(message) };
}

/** A not-found error in the words of the API's clients. */
export function notFound(message: string): ColloquyError {
  return new ColloquyError('not_found', message);
}

export const unknownRoute: RequestHandler = (req, _res, next) => {
  next(notFound(`Not Found: ${req.method} ${req.path} is not served here`));
};

/** Last handler of the app. A response that has begun is cut off: the client then knows that it is not whole. */
export function errorHandler(report: (error: unknown, where: string) => void): ErrorRequestHandler {
  return (error: unknown, req, res, _next) => {
    const answer = answerTo(error);
    if (answer.status >= OUR_FAULT) report(error, `${req.method} ${req.path}`);
    if (res.headersSent) {
      res.destroy();
      return;
    }
    if (answer.retryAfterMs !== undefined) res.setHeader('Retry-After', Math.ceil(answer.retryAfterMs / 1000));
    for (const [name, values] of grouped(answer.headers ?? [])) res.setHeader(name, values);
    res.status(answer.status).type('text/plain').send(answer.message);
  };
}

/** A header that comes more than once, as `set-cookie` does, is set once with all its values. */
function grouped(headers: NonNullable<ErrorAnswer['headers']>): Map<string, string[]> {
  const names = new Set(headers.map(([name]) => name));
  const valuesOf = (name: string) => headers.filter(([one]) => one === name).map(([, value]) => value);
  return new Map([...names].map((name) => [name, valuesOf(name)]));
}
