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
/** MongoDB's error code for a document over 16 MB. */
const DOCUMENT_TOO_LARGE = 10334;
/**
 * MongoDB's codes of errors that come from an interrupted operation or from the election of a new
 * primary. After such an error, the same command may succeed on another attempt.
 */
const TRANSIENT_CODES: ReadonlySet<unknown> = new Set([
  6, 7, 50, 64, 89, 91, 112, 134, 189, 262, 317, 9001, 10107, 11600, 11601, 11602, 13435, 13436,
]);

/**
 * Returns whether the error comes from MongoDB's driver, its server or the network, and not from
 * our own code.
 */
export function isDatabaseError(error: unknown): boolean {
  return error instanceof MongoError || isNetworkError(error);
}

export function isDuplicateKey(error: unknown): boolean {
  return error instanceof MongoError && error.code === DUPLICATE_KEY;
}

/** Returns whether a write failed because another transaction is writing the same document. */
export function isWriteConflict(error: unknown): boolean {
  return error instanceof MongoError && error.code === WRITE_CONFLICT;
}

/**
 * Returns whether the operation that failed with this error may succeed on another attempt. MongoDB
 * may have applied the failed attempt all the same.
 */
export function isTransient(error: unknown): boolean {
  if (isUnreachable(error)) return true;
  if (error instanceof MongoBulkWriteError && isTransient(error.errorResponse)) return true;
  return error instanceof MongoError && TRANSIENT_CODES.has(error.code);
}

/**
 * Returns whether MongoDB cannot be reached, the connection to it was lost, or it did not answer in
 * time.
 */
function isUnreachable(error: unknown): boolean {
  // If the connection breaks during a bulk write, the error of the bulk write contains the error of
  // the connection.
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
 * Returns why documents of an unordered insert were not stored: for each such document, its index
 * in the insert and the reason. Returns undefined if the insert failed as a whole.
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
 * Returns a store with the calls of the given store. If the database is unreachable, a call fails
 * with `unavailable`. All other results and errors are unchanged. The given store must be an object
 * literal of functions, because methods of a class instance are not wrapped.
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
 * Converts an error of the database to `unavailable` or `too_large`, and returns any other error
 * unchanged. `what` is the beginning of the new message. Code that runs inside a graph needs this
 * conversion: there, an error without one of our codes counts as an error of a node.
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
