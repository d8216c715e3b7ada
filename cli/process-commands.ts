import { Runtime } from '@temporalio/worker';
import type { Config } from '../config/index.js';
import { createLogger } from '../telemetry/index.js';
import type { Logger } from '../telemetry/index.js';
import { serve } from './serve.js';

/** Runs one worker until a signal stops it. */
export async function runWorker(config: Config): Promise<number> {
  const logger = createLogger({ name: 'worker', ...config.log });
  const faults = surviveUncaughtErrors(logger);
  installRuntime(logger);
  return serve(async () => {
    const { startWorker } = await import('../workers/index.js');
    const worker = await startWorker(config, { logger });
    faults.isServing = true;
    return { stop: () => worker.stop(), failed: worker.failed };
  });
}

/** Runs one API process until a signal stops it. */
export async function runApi(config: Config): Promise<number> {
  const logger = createLogger({ name: 'api', ...config.log });
  const faults = surviveUncaughtErrors(logger);
  return serve(async () => {
    const { startApi } = await import('../api/main.js');
    const api = await startApi(config, { logger });
    logger.info(`listening on ${api.listensOn}`);
    faults.isServing = true;
    return { details: { url: api.url }, stop: () => api.stop(), failed: api.failed };
  });
}

/**
 * Logs uncaught errors instead of ending the process, because one process serves hundreds of
 * conversations. Two examples: after an abort, a library does not handle the rejection of a
 * promise; a graph's node starts a child process without an error listener. Before the process is
 * ready, an uncaught exception ends the process. Otherwise it might never become ready, and nothing
 * would restart it.
 */
function surviveUncaughtErrors(logger: Logger): { isServing: boolean } {
  const state = { isServing: false };
  const describe = (fault: unknown) => (fault instanceof Error ? (fault.stack ?? fault.message) : String(fault));
  // Whoever read the log may be gone. Without these handlers, each failed line would be an uncaught
  // exception, whose log line would fail too.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
  process.on('unhandledRejection', (reason) => logger.error(`unhandled rejection: ${describe(reason)}`));
  process.on('uncaughtException', (error) => {
    logger.error(`uncaught exception: ${describe(error)}`);
    if (!state.isServing) process.exit(1);
  });
  return state;
}

/**
 * Installs Temporal's runtime with our logger and without its signal handling. On a signal,
 * Temporal would shut workers down before running steps have reached the end of their superstep.
 */
function installRuntime(logger: Logger): void {
  Runtime.install({
    shutdownSignals: [],
    logger: {
      log: () => {},
      trace: () => {},
      debug: () => {},
      info: (message) => logger.debug(message),
      warn: (message, meta) => logger.warn(message, summary(meta)),
      error: (message, meta) => logger.error(message, summary(meta)),
    },
  });
}

/**
 * Returns the ids, the type names and the error message from the fields of a log line of Temporal.
 * Leaves out the other fields, because they may contain content of conversations.
 */
function summary(meta: Record<string, unknown> | undefined): Record<string, string> {
  const ids = Object.entries(meta ?? {}).filter(([key, value]) => typeof value === 'string' && /Id$|Type$/.test(key));
  const { error } = meta ?? {};
  return {
    ...(Object.fromEntries(ids) as Record<string, string>),
    ...(error instanceof Error && { error: error.message }),
  };
}
