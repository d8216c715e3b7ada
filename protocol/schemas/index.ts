/**
 * Zod schemas of what clients may send: bodies, queries and headers of the HTTP API. Types without
 * zod are in `protocol`.
 */
export { ENGINE_PREFIX } from './config.js';
export { TOO_DEEP, findTooDeep } from './depth.js';
export { MAX_PAGE, UNSUPPORTED, anyWithMetadata, uuid } from './common.js';
export {
  createStreamQuery,
  idempotencyKey,
  lastEventId,
  runBatch,
  runCancelMany,
  runCancelManyQuery,
  runCancelQuery,
  runJoinQuery,
  runListQuery,
  runStreamQuery,
  statelessRun,
  statelessRunInBackground,
  threadRun,
  threadRunInBackground,
  wireSpelling,
} from './run.js';
export type { RunBody, RunBodyConfig, RunCancelMany } from './run.js';
export {
  historyBody,
  historyQuery,
  stateAtCheckpoint,
  statePatch,
  stateQuery,
  stateUpdate,
  threadCount,
  threadCreate,
  threadGetQuery,
  threadLastEventId,
  threadPatch,
  MAX_PRUNED,
  threadPrune,
  threadSearch,
  threadStreamQuery,
  THREAD_STREAM_MODES,
} from './thread.js';
export type { HistoryBody } from './thread.js';
export {
  assistantCount,
  assistantCreate,
  assistantDeleteQuery,
  assistantGraphQuery,
  assistantLatest,
  assistantPatch,
  assistantSchemasBody,
  assistantSearch,
  assistantSubgraphsQuery,
  assistantVersions,
} from './assistant.js';
export {
  assistantAnswer,
  commandAnswer,
  assistantVersionAnswer,
  eventAnswer,
  graphAnswer,
  graphSchemasAnswer,
  infoAnswer,
  itemAnswer,
  itemsAnswer,
  namespacesAnswer,
  okAnswer,
  pruneAnswer,
  runAnswer,
  stateAnswer,
  stateUpdateAnswer,
  subgraphsAnswer,
  threadAnswer,
  threadFound,
} from './answers.js';
export {
  cronAnswer,
  cronBackfill,
  cronCount,
  cronCreate,
  cronPatch,
  cronSearch,
  threadCronCreate,
  threadCronPatch,
} from './cron.js';
export type { CronCountBody, CronCreate, CronPatchBody } from './cron.js';
export {
  commandEnvelope,
  eventStreamRequest,
  getTreeParams,
  inputInjectParams,
  inputRespondParams,
  lastProtocolEventId,
  listCheckpointsParams,
  reconnectParams,
  runStartParams,
  stateForkParams,
  stateGetParams,
  subscribeParams,
  subscriptionFilter,
  unsubscribeParams,
} from './v2.js';
export type { EventStreamRequest } from './v2.js';
export {
  anyWithNamespace,
  itemDelete,
  itemGetQuery,
  itemPut,
  itemSearch,
  namespaceLabels,
  namespaceList,
} from './store.js';
export { truncateBody } from './system.js';
