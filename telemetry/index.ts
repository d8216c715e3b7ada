/**
 * Log lines and traces of a running process. They contain ids and counts, never content of a
 * conversation. This room (top-level folder) does not depend on any other room.
 */
export type { LogFields, LogLevel, Logger } from './log.js';
export { createLogger } from './log.js';
export { ATTRIBUTES } from './names.js';
export type { Tracing, TracingOptions } from './tracing.js';
export { startTracing } from './tracing.js';
