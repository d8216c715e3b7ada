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
/** The server's error code for a document over 16 MB. */
const DOCUMENT_TOO_LARGE = 10334;
/**
 * The server's error codes for an interruption or an election. After such an error, the same
 * command may succeed on another attempt.
 */
const TRANSIENT_CODES: ReadonlySet<unknown> = new Set([
  6, 7, 50, 64, 89, 91, 112, 134, 189, 262, 317, 9001, 10107, 11600, 11601, 11602, 13435, 13436,
]);

/** Whether the driver, the server or the network raised the error, and not our own code. */
export function isDatabaseError(error: unknown): boolean {
  return error instanceof MongoError || isNetworkError(error);
}

export function isDuplicateKey(error: unknown): boolean {
  return error instanceof MongoError && error.code === DUPLICATE_KEY;
}

/** Whether the write failed because another transaction has locked the document. */
export function isWriteConflict(error: unknown): boolean {
  return error instanceof MongoError && error.code === WRITE_CONFLICT;
}

/**
 * Whether the same operation may succeed on another attempt. It is unknown whether the failed
 * attempt was applied.
 */
export function isTransient(error: unknown): boolean {
  if (isUnreachable(error)) return true;
  if (error instanceof MongoBulkWriteError && isTransient(error.errorResponse)) return true;
  return error instanceof MongoError && TRANSIENT_CODES.has(error.code);
}

/** Whether the server cannot be reached or the connection to it was lost. */
function isUnreachable(error: unknown): boolean {
  // The error of a bulk write contains the error of its connection.
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
 * Returns the failures of an unordered insert, by the index of the failed document. Returns
 * undefined if the whole command failed.
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
 * Wraps a store so that its calls fail with `unavailable` if the database is unreachable. The store
 * must be an object literal of functions: methods of a class instance are not wrapped.
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
 * Translates every database error to `unavailable` or `too_large`. Returns other errors unchanged.
 * For code that runs inside a graph, where a database error must not look like an error of a node.
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
