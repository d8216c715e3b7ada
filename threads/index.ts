/** Records of assistants, threads, runs and crons, and the state of threads. Knows no HTTP, no Temporal, no graph. */
export { importThreads } from './import/import-threads.js';
export type { ImportOptions, ImportedThread } from './import/import-threads.js';
export { ensureIndexes } from './indexes.js';
export {
  createAssistantStore,
  createCronStore,
  createThreadStore,
  MongoInjections,
  systemAssistantId,
  withDefaultTtl,
} from './records/index.js';
export type {
  AssistantPatch,
  AssistantQuery,
  AssistantStore,
  AssistantStoreOptions,
  CronChange,
  CronFilter,
  CronPatch,
  CronQuery,
  CronStore,
  CronStoreOptions,
  DueQuery,
  DueThread,
  FailedAttempt,
  Injection,
  NewAssistant,
  NewCron,
  NewRun,
  NewThread,
  NewTtl,
  RegisteredGraph,
  RunEnd,
  RunQuery,
  RunStart,
  ThreadFilter,
  ThreadMark,
  ThreadPatch,
  ThreadQuery,
  ThreadStanding,
  ThreadStore,
  ThreadStoreOptions,
} from './records/index.js';
export {
  copyState,
  ensureStateIndexes,
  keepLatest,
  MongoHeads,
  MongoSaver,
  rollbackRun,
  StateCache,
  StepSaver,
  thinState,
  ValueTexts,
} from './state/index.js';
export type {
  CommitInfo,
  HeadStore,
  SaverOptions,
  StepSaverOptions,
  ThinningOptions,
  ThinningPolicy,
} from './state/index.js';
