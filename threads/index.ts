/** Records of assistants, threads, runs and their state: head, fence, checkpoint saver. Knows no HTTP, no Temporal, no graph. */
export { systemAssistantId } from './assistant-records.js';
export type { CronChange, CronFilter, CronPatch, CronQuery, CronStore, NewCron } from './cron-store.js';
export { createAssistantStore } from './mongo-assistant-store.js';
export type { AssistantStoreOptions } from './mongo-assistant-store.js';
export { createCronStore } from './mongo-cron-store.js';
export type { CronStoreOptions } from './mongo-cron-store.js';
export { createThreadStore, ensureIndexes, withDefaultTtl } from './mongo-thread-store.js';
export type { ThreadStoreOptions } from './mongo-thread-store.js';
export type {
  AssistantPatch,
  AssistantQuery,
  AssistantStore,
  DueQuery,
  DueThread,
  HeadStore,
  NewAssistant,
  NewRun,
  NewThread,
  NewTtl,
  ThreadMark,
  RegisteredGraph,
  FailedAttempt,
  RunEnd,
  RunStart,
  RunQuery,
  ThreadFilter,
  ThreadPatch,
  ThreadQuery,
  ThreadStanding,
  ThreadStore,
} from './ports.js';
export { MongoHeads } from './heads.js';
export { MongoInjections } from './injections.js';
export type { Injection } from './injections.js';
export { MongoSaver } from './mongo-saver.js';
export type { SaverOptions } from './mongo-saver.js';
export { StateCache } from './state-cache.js';
export { ensureStateIndexes } from './state-documents.js';
export { ValueTexts } from './value-texts.js';
export { StepSaver } from './step-saver.js';
export type { CommitInfo, StepSaverOptions } from './step-saver.js';
export { rollbackRun } from './rollback.js';
export { withDatabaseErrors } from './mongo-errors.js';
export { importThreads } from './import-threads.js';
export type { ImportOptions, ImportedThread } from './import-threads.js';
export { copyState } from './copy.js';
export { keepLatest, thinState } from './prune.js';
export type { ThinningOptions, ThinningPolicy } from './prune.js';
