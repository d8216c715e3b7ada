import type { ReadProject } from '../agents/index.js';
import type { Config } from '../config/index.js';
import { CallPool } from '../executors/index.js';
import { guarded } from '../policy/index.js';
import type { GraphDescriptions, StateAccess } from '../steps/index.js';
import type { Logger } from '../telemetry/index.js';
import { REPLACE_FACTOR, startExecutor, startFailure } from './executors.js';
import { GRAPH_RULES, STATE_RULES } from './port-rules.js';
import { watchProject } from './reload.js';
import { graphlessStates, remoteGraphs, remoteStates } from './remote-graphs.js';
import type { Stores } from './stores.js';

/** The states of threads and the descriptions of graphs, for a process that runs no steps. */
export interface OpenGraphs {
  /** Reads and edits the states of threads with the project's graphs. Each call is authorized. */
  states: StateAccess;
  /** Describes the project's graphs. Each call is authorized. */
  graphs: GraphDescriptions;
  stop(): Promise<void>;
}

/**
 * Opens what uses the code of graphs in a process that runs no user code. The code runs in executors.
 * The first one starts when a call needs it. If `config.api.readsSchemas`, it starts now, loads all
 * graphs and begins to read their schemas. Errors: those of `loadProject`, in this case.
 */
export async function openGraphs(
  config: Config,
  stores: Stores,
  project: ReadProject,
  logger: Logger,
): Promise<OpenGraphs> {
  const pool = new CallPool({
    start: (isFirst) =>
      startExecutor({
        ...config,
        environment: project.environment,
        serves: isFirst ? 'all calls' : 'calls',
      }),
    graphIds: project.graphs.map(({ graphId }) => graphId),
    replaceAboveBytes: config.executors.heapBytes * REPLACE_FACTOR,
    logger,
  });
  if (config.api.readsSchemas) {
    await pool.open().catch(async (error: unknown) => {
      await pool.stop();
      throw startFailure(error, project);
    });
  }
  const watcher = config.executors.reloads && watchProject(project.path, () => pool.replaceAll(), logger);
  const run = pool.call.bind(pool);
  return {
    states: guarded(remoteStates(run, graphlessStates(stores)), STATE_RULES, stores.authorize),
    graphs: guarded(remoteGraphs(run), GRAPH_RULES, stores.authorize),
    async stop() {
      await Promise.all([pool.stop(), watcher && watcher.stop()]);
    },
  };
}
