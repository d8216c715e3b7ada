/**
 * Types, closed lists and the error class that all rooms (top-level folders) share. Imports no
 * other room and no library, except that `protocol/schemas` uses zod.
 */
export {
  ColloquyError,
  ERROR_CODES,
  errorCode,
  ifFound,
  isNetworkError,
  isRetryable,
  isRetryableStatus,
} from './errors.js';
export type { ErrorCode, ErrorDetails } from './errors.js';
export { guardValues, hasMoreValues, tooManyValues } from './value-limit.js';
export { DEFAULT_TENANT, TENANT_PATTERN, originOf, serviceCaller } from './caller.js';
export { ACTIONS } from './actions.js';
export type { Action } from './actions.js';
export type { Authorize, Caller, Origin, Principal, Resource, ResourceAttributes } from './caller.js';
export { NO_FENCE, decodeFence, encodeFence } from './fence.js';
export type { Fence, FenceParts } from './fence.js';
export { CANCEL_ACTIONS, MULTITASK_STRATEGIES, RUN_STATUSES, STREAM_MODES, isEnded } from './run.js';
export type {
  CancelAction,
  CheckpointRef,
  EndedRunStatus,
  KeptError,
  MultitaskStrategy,
  Run,
  RunCommand,
  RunConfig,
  RunError,
  RunRequest,
  RunStatus,
  StreamMode,
} from './run.js';
export { WHOLE_IN_RECORD, isSameRunError, shortRunError, shortText, storedRunError } from './run-error.js';
export { DEFAULTS } from './defaults.js';
export { publicConfigurable } from './public-config.js';
export { runToWire } from './run-wire.js';
export { webhookDelivery } from './webhook-delivery.js';
export { withoutNulls } from './without-nulls.js';
export { GIVEN_THREAD_FIELDS, MAX_TTL_MINUTES, STATELESS_METADATA, THREAD_STATUSES, TTL_STRATEGIES } from './thread.js';
export type {
  Assistant,
  AssistantVersion,
  GivenThreadFields,
  Head,
  Interrupt,
  NamespaceHead,
  Thread,
  ThreadStatus,
  ThreadTtl,
  TtlStrategy,
} from './thread.js';
export { CONTROL_EVENTS, STATE_UPDATE_EVENT, endOf } from './event.js';
export type { AttemptData, EndedData, StoredEvent } from './event.js';
export { SupersededEvents, isInRanges, supersededRanges } from './superseded-events.js';
export { DEFAULT_TASK_QUEUE, conversationId, cronScheduleId, webhookId } from './ids.js';
export type { DeriveId } from './ids.js';
export { DEFAULT_SCHEDULE_OPTIONS, OVERLAP_POLICIES } from './cron.js';
export type { Cron, CronFilters, OverlapPolicy, ScheduleOptions } from './cron.js';
export { isTimezone, readCronExpression, shortestGapSeconds } from './cron-expression.js';
export type { ScheduleTimes } from './cron-expression.js';
export { MAX_RETRY_AFTER_MS, parseRetryAfter } from './retry-after.js';
export { firstOf } from './signals.js';
export { DEFAULT_STEP_OPTIONS } from './step.js';
export type { Cursor, InterruptsByTask, PendingInterrupt, StepOptions } from './step.js';
export { NOTHING_REQUIRED } from './required-metadata.js';
export type { RequiredMetadata, Scalar } from './required-metadata.js';
