import {
  MongoBulkWriteError,
  MongoError,
  MongoNetworkError,
  MongoOperationTimeoutError,
  MongoServerSelectionError,
} from 'mongodb';
import { ColloquyError, isNetworkError } from '../protocol/index.js';

export function isDuplicateKey(error: unknown): boolean {
  return error instanceof MongoError && error.code === 11000;
}

/** The same store, whose calls tell in our words when the database does not answer. */
export function withDatabaseErrors<T extends object>(store: T): T {
  const calls = Object.entries(store).map(([name, call]) => [
    name,
    (...args: unknown[]) => (call as (...given: unknown[]) => Promise<unknown>)(...args).catch(rethrow),
  ]);
  return Object.fromEntries(calls) as T;
}

function rethrow(error: unknown): never {
  if (!isSilence(error)) throw error;
  throw new ColloquyError('unavailable', `the database does not answer: ${(error as Error).message}`, { cause: error });
}

/** The database, or the way to it, is gone; the same call may succeed later. */
function isSilence(error: unknown): boolean {
  if (error instanceof MongoBulkWriteError && isSilence(error.errorResponse)) return true; // it wraps the error of its connection
  return (
    error instanceof MongoNetworkError ||
    error instanceof MongoServerSelectionError ||
    error instanceof MongoOperationTimeoutError ||
    (error instanceof MongoError && error.hasErrorLabel('RetryableWriteError')) ||
    isNetworkError(error)
  );
}

/** Server code of a document over 16 MB. */
const TOO_LARGE = 10334;

/** For writers of state that run inside of somebody's graph: whatever the database fails with is ours, never the graph's. */
export function stateError(error: unknown, what: string): unknown {
  if (error instanceof ColloquyError) return error;
  const { message } = error as Error;
  const tooLarge = (error as { code?: unknown }).code === TOO_LARGE || /larger than the maximum size/.test(message);
  if (tooLarge) {
    return new ColloquyError('too_large', `${what}: one value is over the database's 16 MB: ${message}`, {
      cause: error,
    });
  }
  if (!(error instanceof MongoError) && !isNetworkError(error)) return error;
  return new ColloquyError('unavailable', `${what}: ${message}`, { cause: error });
}

/**
 * Ends a wait for the database that the driver may never end: its `timeoutMS` does nothing, and a socket timeout does not cover a command
 * that has not been sent. What was asked may still be done later. Errors: those of the driver's own timeouts.
 */
export async function answeredWithin<T>(ms: number, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new MongoOperationTimeoutError(`no answer in ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
