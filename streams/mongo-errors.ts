import {
  MongoBulkWriteError,
  MongoError,
  MongoNetworkError,
  MongoOperationTimeoutError,
  MongoServerSelectionError,
  type WriteError,
} from 'mongodb';
import { isNetworkError } from '../protocol/index.js';

const DUPLICATE_KEY = 11000;

/** Server codes of an interruption or of an election: the same command may succeed on another attempt. */
const TRANSIENT_CODES: ReadonlySet<unknown> = new Set([
  6, 7, 50, 64, 89, 91, 112, 134, 189, 262, 317, 9001, 10107, 11600, 11601, 11602, 13435, 13436,
]);

/** True when the same operation may succeed later; its first attempt may have been applied or not. */
export function isTransient(error: unknown): boolean {
  if (!(error instanceof MongoError)) return isNetworkError(error);
  if (
    error instanceof MongoNetworkError ||
    error instanceof MongoServerSelectionError ||
    error instanceof MongoOperationTimeoutError
  ) {
    return true;
  }
  // A bulk write wraps the error of its connection.
  if (error instanceof MongoBulkWriteError && isTransient(error.errorResponse)) return true;
  return error.hasErrorLabel('RetryableWriteError') || TRANSIENT_CODES.has(error.code);
}

/** Per document of an unordered insert what went wrong; `undefined` when the command as a whole failed. */
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
