import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { ReadProject } from '../agents/index.js';
import type { Executors } from '../activities/deps.js';
import type { Config } from '../config/index.js';
import {
  type ExecutorStart,
  ExecutorEnded,
  ExecutorPool,
  ExecutorProcess,
  NOTHING_OPEN,
  describeEnding,
  type ThreadReads,
} from '../executors/index.js';
import { guarded } from '../policy/index.js';
import { ColloquyError, errorCode, isRetryable } from '../protocol/index.js';
import type { GraphDescriptions, StateAccess } from '../steps/index.js';
import type { Logger } from '../telemetry/index.js';
import { GRAPH_RULES, STATE_RULES } from './port-rules.js';
import { graphlessStates, remoteGraphs, remoteStates, type RunCall } from './remote-graphs.js';
import type { Stores } from './stores.js';

/** An executor whose resident memory is above this multiple of its heap limit is replaced. */
export const REPLACE_FACTOR = 1.6;

/** What an executor gets from the process that starts it. */
export interface ExecutorSettings extends Config {
  /** The variables that the project's `env` has set in that process. */
  environment: NodeJS.Dict<string>;
  /**
   * `steps`: the executor runs steps and answers calls. It loads its graphs at start. `calls`: it only
   * answers calls, and loads a graph when a call needs it. `all calls`: it only answers calls, loads
   * all graphs at start, and begins to read their schemas.
   */
  serves: 'steps' | 'calls' | 'all calls';
}

/** The executors of a process, and what other rooms call in them. */
export interface OpenExecutors {
  pool: ExecutorPool;
  executors: Executors;
  states: StateAccess;
  graphs: GraphDescriptions;
}

/**
 * Starts the first executor, which loads the project. Errors: those of `loadProject`.
 */
export async function openExecutors(
  config: Config,
  stores: Stores,
  project: Pick<ReadProject, 'environment' | 'graphs'>,
  logger: Logger,
): Promise<OpenExecutors> {
  const { executors } = config;
  const { environment } = project;
  const pool = new ExecutorPool({
    start: ({ graphId, isForSuspect }) =>
      startExecutor(
        { ...config, environment, serves: 'steps' },
        {
          ...(graphId !== undefined && { graphId }),
          ...(isForSuspect && { priority: constants.priority.PRIORITY_BELOW_NORMAL }),
        },
      ),
    spares: executors.spares,
    stepsPerExecutor: executors.stepsPerExecutor,
    stopGraceMs: executors.stopGraceMs,
    replaceAboveBytes: executors.heapBytes * REPLACE_FACTOR,
    logger,
  });
  try {
    await pool.open();
  } catch (error) {
    await pool.stop();
    throw startFailure(error, project);
  }
  const threads: ThreadReads = {
    async describe(run) {
      const thread = await ifLoadable(pool.call(run.graphId, 'threads.describe', [run]));
      return (thread ?? NOTHING_OPEN) as Awaited<ReturnType<ThreadReads['describe']>>;
    },
    values: (run) => ifLoadable(pool.call(run.graphId, 'threads.values', [run])),
  };
  const run: RunCall = ({ graphId, name, args }) => pool.call(graphId, name, args);
  return {
    pool,
    executors: { runStep: (task, attempt, options) => pool.runStep(task, attempt, options), ...threads },
    states: guarded(remoteStates(run, graphlessStates(stores)), STATE_RULES, stores.authorize),
    graphs: guarded(remoteGraphs(run), GRAPH_RULES, stores.authorize),
  };
}

/** Starts an executor for one graph, or for all graphs of the project. */
export function startExecutor(
  settings: ExecutorSettings,
  options: Pick<ExecutorStart, 'graphId' | 'priority'> = {},
): ExecutorProcess {
  const { heapBytes, stopGraceMs } = settings.executors;
  return new ExecutorProcess({
    program: executorProgram(),
    nodeOptions: [`--max-old-space-size=${Math.round(heapBytes / 2 ** 20)}`, '--enable-source-maps'],
    config: settings,
    graceMs: stopGraceMs,
    ...options,
  });
}

/** Returns the reason why the executor that loads all graphs of a project could not start. */
export function startFailure(error: unknown, { graphs }: Pick<ReadProject, 'graphs'>): unknown {
  if (!(error instanceof ExecutorEnded)) return error;
  const names = graphs.map(({ graphId }) => graphId).join(', ');
  const message = `the process that loads the project (${names}) has ended: ${describeEnding(error.ending)}; the last lines of its standard error:\n${error.ending.stderr}`;
  return new ColloquyError('invalid_argument', message, { cause: error });
}

/**
 * Returns undefined if the graph cannot be loaded or ends its process. A run must end all the same.
 */
async function ifLoadable(result: Promise<unknown>): Promise<unknown> {
  try {
    return await result;
  } catch (error) {
    const code = errorCode(error);
    if (error instanceof ExecutorEnded || (code !== undefined && !isRetryable(code))) return undefined;
    throw error;
  }
}

/** Returns the path of the executor's program, also if this code runs from its TypeScript source. */
function executorProgram(): string {
  const compiled = fileURLToPath(new URL('./executor-main.js', import.meta.url));
  return existsSync(compiled) ? compiled : fileURLToPath(new URL('../dist/workers/executor-main.js', import.meta.url));
}
