import { MongoClient, type ClientSession } from 'mongodb';
import { ColloquyError } from '../protocol/index.js';

const SELECTION_TIMEOUT_MS = 10_000;
/**
 * Time without an answer after which the driver closes a connection, in ms. The driver's other
 * timeout, `timeoutMS`, ends an operation but does not close its connection.
 */
const SOCKET_TIMEOUT_MS = 30_000;

/**
 * Connects to MongoDB. Timeouts in the URI override the defaults of this file. Errors:
 * `unavailable`.
 */
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

/**
 * Runs `work` in a new MongoDB transaction. After a transient error, the driver runs `work` again.
 */
export function inTransaction<T>(client: MongoClient, work: (session: ClientSession) => Promise<T>): Promise<T> {
  return client.withSession((session) => session.withTransaction(() => work(session)));
}
