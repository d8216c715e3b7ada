import {
  MongoBulkWriteError,
  MongoError,
  MongoNetworkError,
  MongoOperationTimeoutError,
  MongoServerSelectionError,
  type WriteError,
} from 'mongodb';
import { ColloquyError, isNetworkError } from '../protocol/index.js';

const DUPLICATE_KEY = 11000;
const WRITE_CONFLICT = 112;
/** Server code of a document over 16 MB. */
const DOCUMENT_TOO_LARGE = 10334;
/** Server codes of an interruption or an election: the same command may succeed on another attempt. */
const TRANSIENT_CODES: ReadonlySet<unknown> = new Set([
  6, 7, 50, 64, 89, 91, 112, 134, 189, 262, 317, 9001, 10107, 11600, 11601, 11602, 13435, 13436,
]);

/** Whether the driver, the server or the network raised the error, rather than our own code. */
export function isDatabaseError(error: unknown): boolean {
  return error instanceof MongoError || isNetworkError(error);
}

export function isDuplicateKey(error: unknown): boolean {
  return error instanceof MongoError && error.code === DUPLICATE_KEY;
}

/** Whether another transaction holds the document that this one wanted to write. */
export function isWriteConflict(error: unknown): boolean {
  return error instanceof MongoError && error.code === WRITE_CONFLICT;
}

/** Whether the same operation may succeed later. The failed attempt may have been applied or not. */
export function isTransient(error: unknown): boolean {
  if (isUnreachable(error)) return true;
  if (error instanceof MongoBulkWriteError && isTransient(error.errorResponse)) return true;
  return error instanceof MongoError && TRANSIENT_CODES.has(error.code);
}

/** Whether the server, or the connection to it, is gone. */
function isUnreachable(error: unknown): boolean {
  // A bulk write wraps the error of its connection.
  if (error instanceof MongoBulkWriteError && isUnreachable(error.errorResponse)) return true;
  return (
    error instanceof MongoNetworkError ||
    error instanceof MongoServerSelectionError ||
    error instanceof MongoOperationTimeoutError ||
    (error instanceof MongoError && error.hasErrorLabel('RetryableWriteError')) ||
    isNetworkError(error)
  );
}

/**
 * The failures of an unordered insert by the index of their document. Returns undefined if the
 * command failed as a whole.
 */
export function writeFailures(error: unknown): Map<number, 'duplicate' | Error> | undefined {
  if (!(error instanceof MongoBulkWriteError) || error.result.getWriteConcernError() !== undefined) return undefined;
  const errors: WriteError[] = [error.writeErrors].flat();
  if (errors.length === 0) return undefined;
  return new Map(
    errors.map((failure) => [
      failure.index,
      failure.code === DUPLICATE_KEY ? ('duplicate' as const) : new Error(failure.errmsg ?? `code ${failure.code}`),
    ]),
  );
}

/**
 * The same store, whose calls fail with `unavailable` if the database is unreachable. For stores
 * made of functions: methods of a class instance are not wrapped.
 */
export function withDatabaseErrors<T extends object>(store: T): T {
  const calls = Object.entries(store).map(([name, call]) => [
    name,
    (...args: unknown[]) => (call as (...given: unknown[]) => Promise<unknown>)(...args).catch(rethrow),
  ]);
  return Object.fromEntries(calls) as T;
}

function rethrow(error: unknown): never {
  if (!isUnreachable(error)) throw error;
  throw new ColloquyError('unavailable', `the database does not answer: ${(error as Error).message}`, { cause: error });
}

/**
 * Translates every database error to `unavailable` or `too_large`; other errors stay as they are.
 * For code that runs inside of a graph: a database error must not look like one of a node.
 */
export function asPlatformError(error: unknown, what: string): unknown {
  if (error instanceof ColloquyError) return error;
  const { message } = error as Error;
  const { code } = error as { code?: unknown };
  if (code === DOCUMENT_TOO_LARGE || /larger than the maximum size/.test(message)) {
    const problem = `${what}: one value is over the database's 16 MB: ${message}`;
    return new ColloquyError('too_large', problem, { cause: error });
  }
  if (!isDatabaseError(error)) return error;
  return new ColloquyError('unavailable', `${what}: ${message}`, { cause: error });
}
