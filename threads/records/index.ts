/**
 * Stores records of threads, runs, assistants and crons. Uses the head of a thread (its newest
 * checkpoints, revision and fence), but does not depend on how checkpoints are stored.
 */
export { systemAssistantId } from './assistant-records.js';
export type { CronFilter, CronPatch, CronQuery, CronStore, NewCron } from './cron-store.js';
export { ensureRecordIndexes } from './indexes.js';
export { createAssistantStore } from './mongo-assistant-store.js';
export { createCronStore } from './mongo-cron-store.js';
export { MongoInjections, createInjectionStore } from './mongo-injections.js';
export { createThreadStore, withDefaultTtl } from './mongo-thread-store.js';
export type {
  AssistantPatch,
  AssistantQuery,
  AssistantStore,
  Injection,
  InjectionStore,
  LostRunEnd,
  NewAssistant,
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
} from './ports.js';
export { isStorable, isUuid } from './record-fields.js';
export { ThreadRecords } from './thread-records.js';
