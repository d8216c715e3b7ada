import { clearTimeout, setTimeout } from 'node:timers';
import { MongoOperationTimeoutError, type Collection, type Db, type Document } from 'mongodb';

/**
 * Time limit for one operation on a collection, in ms. A longer operation fails with a timeout
 * error of the driver, which `withDatabaseErrors` converts to `unavailable`.
 */
const OPERATION_TIMEOUT_MS = 15_000;

/** Opens a collection. Its operations fail with a timeout error after 15 seconds. */
export function openCollection<Schema extends Document>(db: Db, name: string): Collection<Schema> {
  return db.collection<Schema>(name, { timeoutMS: OPERATION_TIMEOUT_MS });
}

/**
 * Returns the result of `work`. Fails with the driver's timeout error if `work` takes longer than
 * `ms`. This is necessary, because the driver's `timeoutMS` does not always end a wait, and its
 * socket timeout does not cover a command that is not sent yet. The operation itself is not
 * cancelled, so MongoDB may still apply it.
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
