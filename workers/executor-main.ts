/**
 * The program of an executor: a process that runs the code of a project. The worker that starts it
 * speaks with it over a socket pair.
 */
import { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { LRUCache } from 'lru-cache';
import { importToolModules, loadProject, SHIPPED_PROJECT } from '../agents/index.js';
import { OUTBOX_KEY } from '../agents/outbox.js';
import {
  CHANNEL_FD,
  PausedTurns,
  StepAttempt,
  createThreadReads,
  keepGlobals,
  serveCalls,
  type AttemptDependencies,
  type ExecutorService,
} from '../executors/index.js';
import { withDatabaseErrors } from '../database/index.js';
import { GraphStore } from '../memory/index.js';
import type { Run } from '../protocol/index.js';
import { createGraphDescriptions, createStateAccess, watchToolModule } from '../steps/index.js';
import { startTracing } from '../telemetry/index.js';
import { StateCache } from '../threads/index.js';
import type { StepTask } from '../workflows/contract.js';
import type { ExecutorSettings } from './executors.js';
import { feedbackAddresses } from './feedback.js';
import { openItems } from './items.js';
import { lastConfigOf, openStores } from './stores.js';

/** Number of records of runs that are kept between the steps of a run. */
const RUNS_KEPT = 1_000;
/** An executor may have this much resident memory, as a multiple of the limit of its heap. */
const RSS_FACTOR = 2;

const parent = process.ppid;

keepGlobals();

serveCalls({
  stream: new Socket({ fd: CHANNEL_FD, readable: true, writable: true }),
  start: ({ config, graphId }, drain) => start(config as ExecutorSettings, graphId, drain),
  closed: endGroup,
});

async function start(
  config: ExecutorSettings,
  graphId: string | undefined,
  drain: AbortSignal,
): Promise<ExecutorService> {
  watch(config.executors.heapBytes * RSS_FACTOR);
  await startTracing(config.telemetry);
  const stores = await openStores(config, { createsIndexes: false });
  const project = await loadProject(config.projectPath ?? SHIPPED_PROJECT, {
    provide: { [OUTBOX_KEY]: stores.outbox },
    isLazy: config.serves === 'calls',
    ...(graphId !== undefined && { graphId }),
  });
  const warn = (message: string) => console.error(message);
  const states = createStateAccess({ ...stores, project, lastConfig: lastConfigOf(stores) });
  const ports = {
    states: withDatabaseErrors(states),
    graphs: createGraphDescriptions({ project, warn, prepare: config.serves === 'all calls' }),
  };
  if (config.serves !== 'steps') return { ready: {}, handlers: handlersOf(ports) };
  for (const module of await importToolModules(project.graphs, graphId)) watchToolModule(module);
  const items = await openItems(stores, project);
  const feedbackAddress = feedbackAddresses(config.langsmith, config.environment);
  const dependencies: AttemptDependencies = {
    ...stores,
    project,
    cache: new StateCache(config.worker.stateCacheBytes),
    ...(feedbackAddress && { feedbackAddress }),
    drain,
    showsQuestions: config.worker.showsQuestions,
    openStore: (caller) => new GraphStore(items, caller),
    stopGraceMs: config.executors.stopGraceMs,
    warn,
  };
  const shared = { runs: new LRUCache<string, Run>({ max: RUNS_KEPT }), turns: new PausedTurns() };
  return {
    ready: {},
    handlers: {
      ...handlersOf({ ...ports, threads: createThreadReads(dependencies) }),
      runStep: ([task, attempt], stop) =>
        new StepAttempt(dependencies, shared, task as StepTask, attempt as number, stop).execute(),
    },
    subjectOf: (call, [task]) => (call === 'runStep' ? (task as StepTask).runId : undefined),
  };
}

/** Returns a handler for each method of each port, named `port.method`. */
function handlersOf(ports: Record<string, object>): ExecutorService['handlers'] {
  const all = Object.entries(ports).flatMap(([port, methods]) =>
    Object.entries(methods as Record<string, (...args: unknown[]) => Promise<unknown>>).map(
      ([name, method]) => [`${port}.${name}`, (args: unknown[]) => method(...args)] as const,
    ),
  );
  return Object.fromEntries(all);
}

/**
 * Starts the thread that ends this process if its parent is gone, if it needs too much memory, or if
 * it hangs while it exits.
 */
function watch(maxRssBytes: number): void {
  const exiting = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  process.on('exit', (code) => Atomics.store(new Int32Array(exiting), 0, code + 1));
  const program = new URL('../executors/watchdog.js', import.meta.url);
  new Worker(program, { workerData: { parent, maxRssBytes, exiting }, stdin: false }).unref();
}

/** Ends this process and the child processes of its code. */
function endGroup(): void {
  process.kill(-process.pid, 'SIGKILL');
}
