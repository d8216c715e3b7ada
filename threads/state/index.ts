/**
 * Stores the state of threads: the checkpoints, and a head for each thread. The head says which
 * checkpoints are the newest ones. It also contains the fence, which says which attempt may write.
 * This code does not depend on the records of threads and runs, or on graphs.
 */
export { copyState } from './copy.js';
export { createHeadStore } from './head-store.js';
export { MongoHeads } from './mongo-heads.js';
export type { HeadStore, SaverHooks, SaverStore, ThreadSaver, ThinningPolicy } from './ports.js';
export { keepLatest, thinState } from './prune.js';
export { rollbackRun } from './rollback.js';
export { MongoSaver } from './saver/mongo-saver.js';
export { StateCache } from './saver/state-cache.js';
export { StepSaver } from './saver/step-saver.js';
export type { CommitInfo } from './saver/step-saver.js';
export { ensureStateIndexes } from './state-documents.js';
export { ValueTexts } from './values/value-texts.js';
