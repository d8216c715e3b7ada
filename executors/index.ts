/**
 * Processes that run user code: the pool that starts, feeds and watches them, and what runs inside
 * them. Knows neither Temporal nor HTTP.
 */
export { CallPool } from './call-pool.js';
export type { CallPoolOptions } from './call-pool.js';
export type { GraphCall } from './call-host.js';
export { keepGlobals } from './kept-globals.js';
export { ExecutorPool } from './pool.js';
export type { Crash, PoolOptions, StepCallOptions, StepEnd } from './pool.js';
export { CHANNEL_FD, ExecutorEnded, ExecutorProcess, describeEnding } from './executor-process.js';
export type { ExecutorStart } from './executor-process.js';
export { isPermanent } from './outside-failure.js';
export { PausedTurns } from './paused-turns.js';
export type { AttemptDependencies, AttemptFailure, AttemptResult } from './ports.js';
export { appendEnd, endRunRecords } from './run-end.js';
export { serveCalls } from './service.js';
export type { ExecutorService } from './service.js';
export { StepAttempt } from './step-attempt.js';
export type { SharedByAttempts } from './step-attempt.js';
export { NOTHING_OPEN, createThreadReads } from './thread-reads.js';
export type { ThreadReads } from './thread-reads.js';
export { keepWebhook } from './webhook-body.js';
