import { Runtime } from '@temporalio/worker';
import type { Config } from '../config/index.js';
import { createLogger } from '../telemetry/index.js';
import type { Logger } from '../telemetry/index.js';
import { serve } from './serve.js';

/** Runs one worker until it is told to stop. */
export async function runWorker(config: Config): Promise<number> {
  const logger = createLogger({ name: 'worker', ...config.log });
  const faults = outliveFaults(logger);
  installRuntime(logger);
  return serve(async () => {
    const { startWorker } = await import('../workers/index.js');
    const worker = await startWorker(config, { logger });
    faults.serves = true;
    return { stop: () => worker.stop(), failed: worker.failed };
  });
}

/** Runs one API process until it is told to stop. */
export async function runApi(config: Config): Promise<number> {
  const logger = createLogger({ name: 'api', ...config.log });
  const faults = outliveFaults(logger);
  return serve(async () => {
    const { startApi } = await import('../api/main.js');
    const api = await startApi(config, { logger });
    logger.info(`listening on ${api.listensOn}`);
    faults.serves = true;
    return { details: { url: api.url }, stop: () => api.stop(), failed: api.failed };
  });
}

/**
 * A fault that nobody caught must not end a process in which hundreds of conversations work: libraries of graphs let promises go when
 * they are aborted, and a node's child process may have no listener for its error. It is logged, and the process goes on. A process
 * that does not serve yet exits, since nothing would ever start it again.
 */
function outliveFaults(logger: Logger): { serves: boolean } {
  const state = { serves: false };
  const told = (fault: unknown) => (fault instanceof Error ? (fault.stack ?? fault.message) : String(fault));
  process.on('unhandledRejection', (reason) => logger.error(`unheard rejection: ${told(reason)}`));
  process.on('uncaughtException', (error) => {
    logger.error(`uncaught exception: ${told(error)}`);
    if (!state.serves) process.exit(1);
  });
  return state;
}

/** Signals are ours: Temporal's own handling would shut down before running steps were told to drain. */
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

/** Of what Temporal logs beside a message: the ids, and the error's own words without its details. */
function summary(meta: Record<string, unknown> | undefined): Record<string, string> {
  const ids = Object.entries(meta ?? {}).filter(([key, value]) => typeof value === 'string' && /Id$|Type$/.test(key));
  const { error } = meta ?? {};
  return {
    ...(Object.fromEntries(ids) as Record<string, string>),
    ...(error instanceof Error && { error: error.message }),
  };
}
