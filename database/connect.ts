import { MongoClient, type ClientSession } from 'mongodb';
import { ColloquyError } from '../protocol/index.js';

const SELECTION_TIMEOUT_MS = 10_000;
/** A slower answer is lost with its connection. The driver's own `timeoutMS` does not end such a wait. */
const SOCKET_TIMEOUT_MS = 30_000;

/** Timeouts in the URI win. Errors: `unavailable`. */
export async function connectMongo(uri: string): Promise<MongoClient> {
  try {
    const options = {
      ...(!uri.includes('serverSelectionTimeoutMS=') && { serverSelectionTimeoutMS: SELECTION_TIMEOUT_MS }),
      ...(!uri.includes('socketTimeoutMS=') && { socketTimeoutMS: SOCKET_TIMEOUT_MS }),
      retryReads: true,
      ignoreUndefined: true,
    };
    return await MongoClient.connect(uri, options);
  } catch (cause) {
    const address = uri.replace(/\/\/[^@/]*@/, '//***@');
    throw new ColloquyError('unavailable', `MongoDB does not answer at ${address}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/** Runs the work in a transaction of its own; the driver repeats it after a transient error. */
export function inTransaction<T>(client: MongoClient, work: (session: ClientSession) => Promise<T>): Promise<T> {
  return client.withSession((session) => session.withTransaction(() => work(session)));
}
