import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { Client } from '@temporalio/client';
import { SHIPPED_PROJECT, readProject } from '../agents/index.js';
import type { ReadProject } from '../agents/index.js';
import type { Config } from '../config/index.js';
import { completeConversations, startCronSweeper, startLostRunSweeper, startSweeper } from '../conversations/index.js';
import { createEgress } from '../egress/index.js';
import { ColloquyError, serviceCaller } from '../protocol/index.js';
import { createLogger, startTracing } from '../telemetry/index.js';
import type { Logger } from '../telemetry/index.js';
import { withDefaultTtl } from '../threads/index.js';
// Not from the index of the room: it also exports the worker, whose library takes long to import.
import { openConversations } from '../workers/conversations.js';
import { feedbackAddresses } from '../workers/feedback.js';
import { openGraphs } from '../workers/graphs.js';
import { openItems } from '../workers/items.js';
import { openStores } from '../workers/stores.js';
import { connectTemporal, ensureSearchAttributes } from '../workers/temporal.js';
import { createApiServer } from './server.js';
import type { ProjectAuth } from './auth/ports.js';
import { createProjectAuth } from './auth/project-auth.js';
import { anonymousOf, type ApiDependencies } from './context.js';

export interface RunningApi {
  /** A URL under which processes on this machine reach the API. */
  url: string;
  /** The address that the server listens on, for the log: `http://0.0.0.0:2024`. */
  listensOn: string;
  /**
   * Ends open streams, so that their clients reconnect to another process. Requests that are being
   * answered get {@link CLOSE_GRACE_MS} to finish. Then closes all connections. Idempotent.
   */
  stop(): Promise<void>;
  /** Rejects if the listening socket fails, because the API can then serve no request. */
  failed: Promise<never>;
}

/** How long a worker may take to answer a Temporal update of a conversation workflow, in ms. */
const UPDATE_TIMEOUT_MS = 10_000;

/**
 * Starts an API process: opens its connections, creates the API and listens. Errors: `unavailable`
 * if MongoDB or Temporal does not answer, or if the TCP port is in use.
 */
export async function startApi(config: Config, overrides: { logger?: Logger } = {}): Promise<RunningApi> {
  const logger = overrides.logger ?? createLogger({ name: 'api', ...config.log });
  const closers: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const closer of closers.splice(0).reverse())
      await closer().catch((error: unknown) => logger.warn(String(error)));
  };
  try {
    const tracing = await startTracing(config.telemetry);
    closers.push(() => tracing.stop());
    const stores = await openStores(config);
    closers.push(() => stores.close());
    const connection = await connectTemporal(config.temporal);
    closers.push(() => connection.close());
    await ensureSearchAttributes(connection, config.temporal.namespace);
    const client = new Client({
      connection,
      namespace: config.temporal.namespace,
      interceptors: { workflow: tracing.client },
    });
    const project = await readProject(config.projectPath ?? SHIPPED_PROJECT);
    const auth = await projectAuth(project, config.api);
    const graphs = await openGraphs(config, stores, project, logger);
    closers.push(() => graphs.stop());
    const shutdown = new AbortController();
    const egress = createEgress(config.egress);
    const anonymous = anonymousOf(config.tenant);
    const { threadTtl, sweepMinutes } = project.settings;
    const deps: ApiDependencies = {
      ...stores,
      threads: withDefaultTtl(stores.threads, threadTtl),
      items: await openItems(stores, project),
      http: await customization(project),
      ...(auth && { auth }),
      authenticate: () => anonymous,
      checkWebhook: (url) => egress.check(url),
      hasFeedback: feedbackAddresses(config.langsmith, project.environment) !== undefined,
      states: graphs.states,
      graphs: graphs.graphs,
      ...openConversations(
        {
          client,
          taskQueue: config.temporal.taskQueue,
          settings: config.conversation,
          timeoutMs: UPDATE_TIMEOUT_MS,
        },
        stores.authorize,
      ),
      info: await versions(),
      report: (error, where) => logger.error(`${where}: ${describeError(error)}`),
      shutdown: shutdown.signal,
      options: {
        bodyLimitBytes: config.api.bodyLimitBytes,
        heartbeatMs: config.api.heartbeatMs,
        testMode: config.api.testMode,
        corsOrigins: config.api.corsOrigins,
        connectionsPerAddress: config.api.connectionsPerAddress,
        accessCheckMs: config.api.accessCheckMs,
        ...(config.api.allowedHosts.length > 0 && { allowedHosts: config.api.allowedHosts }),
        ...config.limits,
      },
    };
    const server = await listen(createApiServer(deps), config.api);
    const conversations = completeConversations(deps);
    const sweeper = startSweeper(conversations, serviceCaller(config.tenant, 'sweeper'), {
      ...(sweepMinutes !== undefined && { intervalMs: sweepMinutes * 60_000 }),
      ...(config.retention.checkpoints && { keep: config.retention.checkpoints }),
    });
    closers.push(() => sweeper.stop());
    const lostRunSweeper = startLostRunSweeper(conversations, serviceCaller(config.tenant, 'sweeper'));
    closers.push(() => lostRunSweeper.stop());
    const cronSweeper = startCronSweeper(conversations, serviceCaller(config.tenant, 'cron-sweeper'));
    closers.push(() => cronSweeper.stop());
    closers.push(() => end(server, shutdown));
    const { host } = config.api;
    const url = urlOf(server, isAnyAddress(host) ? '127.0.0.1' : host);
    publishOwnUrl(url);
    return { url, listensOn: urlOf(server, host), stop: close, failed: failureOf(server) };
  } catch (error) {
    await close();
    throw error;
  }
}

async function customization({ settings, importExport }: ReadProject): Promise<NonNullable<ApiDependencies['http']>> {
  const { app, ...rest } = settings.http;
  return app === undefined ? rest : { ...rest, app: await importExport('http.app', app) };
}

async function projectAuth(
  { settings, importExport }: ReadProject,
  { acceptsStudio }: Config['api'],
): Promise<ProjectAuth | undefined> {
  if (settings.auth === undefined) return undefined;
  const { module, disableStudioAuth } = settings.auth;
  const exported = await importExport('auth.path', module);
  return createProjectAuth(exported, { acceptStudio: acceptsStudio && !disableStudioAuth });
}

/**
 * Publishes the URL of this server under a global symbol. LangGraph's SDK reads this symbol if
 * `new Client()` is called without a URL. So a client in a project's app calls this server, even if
 * the project has its own copy of the SDK.
 */
function publishOwnUrl(url: string): void {
  Object.assign(globalThis, { [Symbol.for('langgraph_api:url')]: url });
}

const CLOSE_GRACE_MS = 5_000;
/**
 * How long an idle connection stays open, in ms. Load balancers keep idle connections for 60 s.
 * This server keeps them longer, so that no load balancer sends a request into a connection that
 * the server has just closed.
 */
const KEEP_ALIVE_MS = 75_000;

async function listen(server: Server, { host, port }: Config['api']): Promise<Server> {
  server.keepAliveTimeout = KEEP_ALIVE_MS;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => {
      reject(new ColloquyError('unavailable', `cannot listen on ${host}:${port}: ${cause.message}`, { cause }));
    });
    server.listen(port, host, resolve);
  });
  return server;
}

function failureOf(server: Server): Promise<never> {
  const failed = new Promise<never>((_resolve, reject) => server.once('error', reject));
  failed.catch(() => undefined);
  return failed;
}

async function end(server: Server, shutdown: AbortController): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  shutdown.abort();
  server.closeIdleConnections();
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS);
  await closed;
  clearTimeout(timer);
}

function urlOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

function isAnyAddress(host: string): boolean {
  return host === '0.0.0.0' || host === '::';
}

async function versions(): Promise<{ version: string; langgraphVersion: string }> {
  const langgraphFile = createRequire(import.meta.url).resolve('@langchain/langgraph/package.json');
  const ownFile = new URL(
    import.meta.url.includes('/dist/') ? '../../package.json' : '../package.json',
    import.meta.url,
  );
  const [ownPackage, langgraphPackage] = await Promise.all(
    [ownFile, langgraphFile].map((file) => readFile(file, 'utf8')),
  );
  const read = (text = '{}') => (JSON.parse(text) as { version: string }).version;
  return { version: read(ownPackage), langgraphVersion: read(langgraphPackage) };
}

/** Returns the stack of an error, followed by the stacks of its causes. */
function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { stack = error.message, cause } = error;
  return cause === undefined ? stack : `${stack}\n  caused by: ${describeError(cause)}`;
}
