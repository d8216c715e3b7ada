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
