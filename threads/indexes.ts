import type { Db } from 'mongodb';
import { ensureRecordIndexes } from './records/index.js';
import { ensureStateIndexes } from './state/index.js';

/** Creates the missing indexes of all collections that the code in `threads/` uses. Idempotent. */
export async function ensureIndexes(db: Db): Promise<void> {
  await Promise.all([ensureRecordIndexes(db), ensureStateIndexes(db)]);
}
