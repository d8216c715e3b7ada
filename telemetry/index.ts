/**
 * Log lines and traces of a running process. Does not depend on any other room (top-level folder).
 * Contains ids and counts, never content of a conversation.
 */
export type { LogFields, LogLevel, Logger } from './log.js';
export { createLogger } from './log.js';
export { ATTRIBUTES } from './names.js';
export type { Tracing, TracingOptions } from './tracing.js';
export { startTracing } from './tracing.js';
