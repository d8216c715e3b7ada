/**
 * Stores records of assistants, threads, runs and crons, and the state of threads. This code does
 * not depend on HTTP, Temporal or graphs.
 */
export { importThreads } from './import/import-threads.js';
export type { ImportedThread } from './import/import-threads.js';
export { ensureIndexes } from './indexes.js';
export { createSaverStore } from './mongo-savers.js';
export {
  createAssistantStore,
  createCronStore,
  createThreadStore,
  createInjectionStore,
  isStorable,
  systemAssistantId,
  withDefaultTtl,
} from './records/index.js';
export type {
  AssistantPatch,
  AssistantQuery,
  AssistantStore,
  CronFilter,
  CronPatch,
  CronQuery,
  CronStore,
  Injection,
  InjectionStore,
  LostRunEnd,
  NewAssistant,
  NewCron,
  NewRun,
  NewThread,
  NewTtl,
  RunEnd,
  RunStart,
  SettledState,
  ThreadFilter,
  ThreadIdentity,
  ThreadQuery,
  ThreadStore,
  UnchangedRun,
} from './records/index.js';
export {
  copyState,
  createHeadStore,
  ensureStateIndexes,
  keepLatest,
  MongoHeads,
  MongoSaver,
  StateCache,
  StepSaver,
  thinState,
  ValueTexts,
} from './state/index.js';
export type { CommitInfo, HeadStore, SaverHooks, SaverStore, ThinningPolicy, ThreadSaver } from './state/index.js';
