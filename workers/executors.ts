import { existsSync } from 'node:fs';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { ReadProject } from '../agents/index.js';
import type { Executors } from '../activities/deps.js';
import type { Config } from '../config/index.js';
import {
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
import type { Stores } from './stores.js';

/** An executor whose resident memory is above this multiple of its heap limit is replaced. */
const REPLACE_FACTOR = 1.6;

/** What an executor gets from the process that starts it. */
export interface ExecutorSettings extends Config {
  /** The variables that the project's `env` has set in that process. */
  environment: NodeJS.Dict<string>;
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
  { authorize }: Pick<Stores, 'authorize'>,
  { environment, graphs }: Pick<ReadProject, 'environment' | 'graphs'>,
  logger: Logger,
): Promise<OpenExecutors> {
  const { executors } = config;
  const pool = new ExecutorPool({
    start: ({ graphId, isForSuspect }) =>
      new ExecutorProcess({
        program: executorProgram(),
        nodeOptions: [`--max-old-space-size=${Math.round(executors.heapBytes / 2 ** 20)}`, '--enable-source-maps'],
        config: { ...config, environment } satisfies ExecutorSettings,
        ...(graphId !== undefined && { graphId }),
        graceMs: executors.stopGraceMs,
        ...(isForSuspect && { priority: constants.priority.PRIORITY_BELOW_NORMAL }),
      }),
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
    if (!(error instanceof ExecutorEnded)) throw error;
    const names = graphs.map(({ graphId }) => graphId).join(', ');
    const message = `the process that loads the project (${names}) has ended: ${describeEnding(error.ending)}; the last lines of its standard error:\n${error.ending.stderr}`;
    throw new ColloquyError('invalid_argument', message, { cause: error });
  }
  const threads: ThreadReads = {
    async describe(run) {
      const thread = await ifLoadable(pool.call(run.graphId, 'threads.describe', [run]));
      return (thread ?? NOTHING_OPEN) as Awaited<ReturnType<ThreadReads['describe']>>;
    },
    values: (run) => ifLoadable(pool.call(run.graphId, 'threads.values', [run])),
  };
  return {
    pool,
    executors: { runStep: (task, attempt, options) => pool.runStep(task, attempt, options), ...threads },
    states: guarded(remoteStates(pool), STATE_RULES, authorize),
    graphs: guarded(remoteGraphs(pool), GRAPH_RULES, authorize),
  };
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

function remoteStates(pool: ExecutorPool): StateAccess {
  const call = <T>(graphId: string | undefined, name: keyof StateAccess, args: unknown[]) =>
    pool.call(graphId, `states.${name}`, args) as Promise<T>;
  return {
    getState: (...args) => call(args[1], 'getState', args),
    hasCheckpoint: (...args) => call(undefined, 'hasCheckpoint', args),
    getHistory: (...args) => call(args[1], 'getHistory', args),
    updateState: (...args) => call(args[1], 'updateState', args),
    updateStates: (...args) => call(args[1], 'updateStates', args),
    finalValues: (...args) => call(args[1].graphId, 'finalValues', args),
  };
}

function remoteGraphs(pool: ExecutorPool): GraphDescriptions {
  const call = <T>(graphId: string, name: keyof GraphDescriptions, args: unknown[]) =>
    pool.call(graphId, `graphs.${name}`, args) as Promise<T>;
  return {
    draw: (...args) => call(args[1], 'draw', args),
    schemas: (...args) => call(args[1], 'schemas', args),
    takesMessages: (...args) => call(args[1], 'takesMessages', args),
    subgraphs: (...args) => call(args[1], 'subgraphs', args),
  };
}

/** Returns the path of the executor's program, also if this code runs from its TypeScript source. */
function executorProgram(): string {
  const compiled = fileURLToPath(new URL('./executor-main.js', import.meta.url));
  return existsSync(compiled) ? compiled : fileURLToPath(new URL('../dist/workers/executor-main.js', import.meta.url));
}
