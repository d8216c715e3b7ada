import { createLogger } from '../telemetry/index.js';

export type GraphLogLevel = 'debug' | 'info' | 'warn' | 'error';
export type GraphLog = (level: GraphLogLevel, message: string, fields: Record<string, string>) => void;

/**
 * Global key of the logger that graphs use. Graphs call `getLogger()` of
 * `@langchain/langgraph-sdk/logging`. Every copy of that package looks for the logger under this
 * key.
 */
const GLOBAL_LOGGER = Symbol.for('langgraph.api.sdk-logger');

/**
 * Maps the levels of LangGraph's logger to the levels of {@link GraphLog}. LangGraph's logger has
 * the levels of the library Winston.
 */
const LEVELS = {
  error: 'error',
  warn: 'warn',
  help: 'info',
  data: 'info',
  info: 'info',
  prompt: 'info',
  http: 'info',
  debug: 'debug',
  verbose: 'debug',
  input: 'debug',
  silly: 'debug',
} as const satisfies Record<string, GraphLogLevel>;

/**
 * Provides a logger under the global key, as LangGraph's own server does. Without this logger, a
 * project that calls `getLogger()` cannot be loaded. Does nothing if another logger is already
 * there.
 */
export function offerLogger(log: GraphLog = logToStderr()): void {
  if (GLOBAL_LOGGER in globalThis) return;
  const logger: Record<string, (message: unknown, ...meta: unknown[]) => unknown> = {};
  for (const [name, level] of Object.entries(LEVELS)) {
    logger[name] = (message, ...meta) => {
      log(level, textOf(message), Object.assign({}, ...meta.map(fieldsOf)) as Record<string, string>);
      return logger;
    };
  }
  Object.defineProperty(globalThis, GLOBAL_LOGGER, { value: logger, configurable: true, writable: true });
}

function logToStderr(): GraphLog {
  const logger = createLogger({ name: 'graph', level: 'info', format: 'text' });
  return (level, message, fields) => logger[level](message, fields);
}

function fieldsOf(meta: unknown): Record<string, string> {
  if (meta instanceof Error || typeof meta !== 'object' || meta === null) return { detail: textOf(meta) };
  return Object.fromEntries(Object.entries(meta).map(([key, value]) => [key, textOf(value)]));
}

/** Converts a logged value to a string. Never throws, because a log line must not end a step. */
function textOf(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value instanceof Error) return value.stack ?? value.message;
  try {
    return JSON.stringify(value) ?? String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
