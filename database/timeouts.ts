import { MongoOperationTimeoutError, type Collection, type Db, type Document } from 'mongodb';

/**
 * Upper bound for one database operation of a store. A longer operation fails with `unavailable`.
 */
const OPERATION_TIMEOUT_MS = 15_000;

/** Opens a collection whose operations end with a timeout error after 15 seconds. */
export function openCollection<Schema extends Document>(db: Db, name: string): Collection<Schema> {
  return db.collection<Schema>(name, { timeoutMS: OPERATION_TIMEOUT_MS });
}

/**
 * Waits for the work. Fails with the driver's timeout error if the work takes longer than `ms`. The
 * driver's `timeoutMS` does not always end a wait, and its socket timeout does not cover a command
 * that was not sent yet. The operation itself is not cancelled, so the server may still apply it.
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
