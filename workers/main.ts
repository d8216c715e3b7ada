import { existsSync } from 'node:fs';
import { join, dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Duration } from '@temporalio/common';
import { NativeConnection, Worker } from '@temporalio/worker';
import type { WorkerOptions } from '@temporalio/worker';
import { createActivities } from '../activities/index.js';
import { SHIPPED_PROJECT, readProject, type ReadProject } from '../agents/index.js';
import { assistantDefaultsOf } from '../config/index.js';
import type { Config } from '../config/index.js';
import { createEgress } from '../egress/index.js';
import { ColloquyError, serviceCaller } from '../protocol/index.js';
import { createLogger, startTracing } from '../telemetry/index.js';
import type { Logger } from '../telemetry/index.js';
import { withDefaultTtl } from '../threads/index.js';
import { startHealth } from './health.js';
import { composeConversations } from './conversations.js';
import { openExecutors, type OpenExecutors } from './executors.js';
import { watchProject } from './reload.js';
import { openStores } from './stores.js';
import type { Stores } from './stores.js';
import { connectTemporal, ensureSearchAttributes, temporalOptions } from './temporal.js';

export interface RunningWorker {
  project: ReadProject;
  /**
   * Stops the worker. Waits until each running step has reached its next commit. Temporal's worker
   * cancels a step that needs longer than `shutdownGraceMs`. Idempotent.
   */
  stop(): Promise<void>;
  /** Rejects if the worker fails. The worker then processes no more tasks. Never resolves. */
  failed: Promise<never>;
}

export interface WorkerOverrides {
  logger?: Logger;
  /**
   * Path of the bundle with the workflow code. Default: the bundle that the build has made. If
   * there is no bundle, Temporal bundles the workflows when the worker starts.
   */
  workflowBundlePath?: string;
  /** Options of Temporal's worker. They replace the options that come from the config. */
  options?: Partial<WorkerOptions>;
}

/**
 * Longest time between two heartbeats that Temporal's worker sends for a step, in ms. If a step is
 * cancelled, Temporal's server reports this only in its response to a heartbeat. So a longer time
 * would delay the cancellation.
 */
const HEARTBEAT_THROTTLE_MS = 500;
/**
 * Time for which Temporal offers a conversation only to the worker that has it in its cache. If
 * that worker has died, other workers get the conversation after this time.
 */
const STICKY_TIMEOUT = '2s';
const FORCE_AFTER_GRACE_MS = 5_000;
/**
 * How long workflow code may run until Temporal's worker stops it. Temporal's default is 5 s. If
 * the process is frozen, these 5 s pass although no code runs. If Temporal then stops the code
 * inside a microtask, Node.js aborts the process ("async hook stack has become corrupted",
 * nodejs/node#38503, temporalio/sdk-typescript#939). Our workflow code needs milliseconds, so only
 * a frozen process can reach this limit.
 */
const WORKFLOW_CODE_TIMEOUT = '10 minutes';

/**
 * Opens everything that a worker needs, and starts the worker. The worker executes the conversation
 * workflows of its task queue, and the steps of the project's graphs.
 */
export async function startWorker(config: Config, overrides: WorkerOverrides = {}): Promise<RunningWorker> {
  const logger = overrides.logger ?? createLogger({ name: 'worker', ...config.log });
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse())
      await closer().catch((error: unknown) => logger.warn(String(error)));
  };
  try {
    const tracing = await startTracing(config.telemetry);
    closers.push(() => tracing.stop());
    const opened = await openStores(config);
    closers.push(() => opened.close());
    const project = await readProject(config.projectPath ?? SHIPPED_PROJECT);
    const stores = { ...opened, threads: withDefaultTtl(opened.threads, project.settings.threadTtl) };
    for (const warning of project.warnings) logger.warn(warning);
    const [executors] = await Promise.all([openExecutors(config, stores, project, logger), prepareTemporal(config)]);
    closers.push(() => executors.pool.stop());
    if (config.executors.reloads) {
      const watcher = watchProject(project.path, () => executors.pool.replaceAll(), logger);
      closers.push(() => watcher.stop());
    }
    const defaults = { ...config.assistants, ...assistantDefaultsOf(project.environment) };
    const graphs = project.graphs.map((graph) => ({ ...graph, ...defaults[graph.graphId] }));
    await stores.assistants.registerGraphs(serviceCaller(config.tenant, 'worker'), graphs);
    const serving: { worker?: Worker } = {};
    const health = await startHealth(config.worker.healthPort, () => serving.worker?.getState() === 'RUNNING');
    closers.push(() => health.close());
    const connection = await connectNative(config);
    closers.push(() => connection.close());
    const conversations = composeConversations(config, stores, executors, {
      connection,
      interceptors: { workflow: tracing.client },
    });
    const worker = await Worker.create({
      ...workerOptions(config, overrides),
      connection,
      activities: createActivities({
        ...activityDependencies(config, stores, executors),
        conversations,
      }),
      interceptors: { activity: tracing.activity },
      ...overrides.options,
    });
    serving.worker = worker;
    const running = worker.run();
    logger.info(`serving ${project.graphs.map((graph) => graph.graphId).join(', ')}`, {
      task_queue: config.temporal.taskQueue,
    });
    return { project, ...handle(worker, running, executors.pool, close) };
  } catch (error) {
    await close();
    throw error;
  }
}

function handle(
  worker: Worker,
  running: Promise<void>,
  pool: OpenExecutors['pool'],
  close: () => Promise<void>,
): Omit<RunningWorker, 'project'> {
  let stopping: Promise<void> | undefined;
  const failed = running.then(() => new Promise<never>(() => {}));
  failed.catch(() => {});
  const end = async () => {
    pool.drain();
    if (worker.getState() === 'RUNNING') worker.shutdown();
    await running.catch(() => {});
    await close();
  };
  return { failed, stop: () => (stopping ??= end()) };
}

function workerOptions(config: Config, overrides: WorkerOverrides) {
  return {
    namespace: config.temporal.namespace,
    taskQueue: config.temporal.taskQueue,
    ...workflowSource(overrides.workflowBundlePath),
    maxConcurrentActivityTaskExecutions: config.worker.maxConcurrentSteps,
    maxCachedWorkflows: config.worker.maxCachedWorkflows,
    stickyQueueScheduleToStartTimeout: STICKY_TIMEOUT,
    isolateExecutionTimeout: WORKFLOW_CODE_TIMEOUT,
    maxHeartbeatThrottleInterval: HEARTBEAT_THROTTLE_MS,
    defaultHeartbeatThrottleInterval: HEARTBEAT_THROTTLE_MS,
    shutdownGraceTime: config.worker.shutdownGraceMs,
    shutdownForceTime: config.worker.shutdownGraceMs + FORCE_AFTER_GRACE_MS,
  } satisfies Partial<WorkerOptions & { isolateExecutionTimeout: Duration }>;
}

/**
 * Returns the workflow code for Temporal's worker: the given bundle, or else the bundle that the
 * build has put into `dist`. This function finds `dist` both from the compiled code and from the
 * TypeScript sources. If there is no bundle, it returns the path of the workflows, and Temporal
 * bundles them when the worker starts.
 */
function workflowSource(bundlePath: string | undefined): Pick<WorkerOptions, 'workflowBundle' | 'workflowsPath'> {
  const root = join(dirname(fileURLToPath(import.meta.url)), '..');
  const built = [join(root, 'workflow-bundle.js'), join(root, 'dist', 'workflow-bundle.js')];
  const codePath = [...(bundlePath === undefined ? [] : [bundlePath]), ...built].find((path) => existsSync(path));
  if (codePath !== undefined) return { workflowBundle: { codePath } };
  return { workflowsPath: fileURLToPath(new URL('../workflows/index.js', import.meta.url)) };
}

function activityDependencies(config: Config, stores: Stores, { executors }: OpenExecutors) {
  const { heads, savers, threads, events, deliveries } = stores;
  const { webhookSecrets } = config.egress;
  return { heads, savers, threads, events, deliveries, executors, egress: createEgress(config.egress), webhookSecrets };
}

async function prepareTemporal(config: Config): Promise<void> {
  const connection = await connectTemporal(config.temporal);
  try {
    await ensureSearchAttributes(connection, config.temporal.namespace);
  } finally {
    await connection.close();
  }
}

async function connectNative(config: Config): Promise<NativeConnection> {
  try {
    return await NativeConnection.connect(temporalOptions(config.temporal));
  } catch (cause) {
    throw new ColloquyError('unavailable', `Temporal does not answer at ${config.temporal.address}`, { cause });
  }
}
