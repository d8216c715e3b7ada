/** What every store needs of MongoDB: connections, transactions, timeouts and errors. Knows no collection and no document. */
export {
  asPlatformError,
  isDatabaseError,
  isDuplicateKey,
  isTransient,
  isWriteConflict,
  withDatabaseErrors,
  writeFailures,
} from './errors.js';
export { connectMongo, inTransaction } from './connect.js';
export { answeredWithin, openCollection } from './timeouts.js';
