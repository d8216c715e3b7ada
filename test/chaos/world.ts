import { fork, type ChildProcess, type StdioOptions } from 'node:child_process';
import { closeSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Client, Connection, isGrpcServiceError } from '@temporalio/client';
import { conversationId, DEFAULT_TENANT } from '../../protocol/index.js';
import { logTail, openLog } from '../../servers/log-file.js';
import { freePort } from '../../servers/ports.js';
import { packageRoot } from '../../cli/index.js';
import type { Server } from '../../servers/server.js';
import { startServers, type Servers } from '../../servers/embedded-servers.js';
import { QUERIES, UPDATES, type PendingInterrupt, type Resumed } from '../../workflows/contract.js';
import { RefusedError } from './api-client.js';
import { StuckError, type Clock } from './clock.js';
import { executorVictim } from './executors.js';
import type { FaultKind, Victim } from './faults.js';
import { ChaosProcess } from './house-process.js';

export interface ChaosWorldOptions {
  seed: number;
  /**
   * Folder for the data of the servers, the log files, and the ledger file, which records all
   * effects.
   */
  folder: string;
  /** Folder that holds the programs of Temporal and of the database. */
  toolsDir: string;
  workers: number;
  apis: number;
  onCrash: (name: string, detail: string) => void;
  say: (line: string) => void;
}

export interface ChaosWorld {
  apiUrls: string[];
  ledgerUrl: string;
  ledgerFile: string;
  victims: Record<FaultKind, Victim[]>;
  temporal: Client;
  /** Returns how often a string occurs in the log files of the workers and API processes. */
  logged(text: string): number;
  stop(): Promise<void>;
}

const MODEL_FAULTS = '0.08';
const LEDGER_FAULTS = '0.05';
/**
 * Number of runs (`maxTurns`) after which a conversation workflow continues as new. It is low, so
 * that faults also hit continue-as-new.
 */
const MAX_TURNS = '4';
/** Number of steps after which it continues as new between two steps of a run. */
const MAX_STEPS = '7';

/** Grace time for a node that was given up, in ms. Short, so that a program has many such nodes. */
const STOP_GRACE_MS = '1000';

/**
 * Starts the servers, workers, API processes, ledger and model server. If one of them fails to
 * start, stops those that have started.
 */
export async function startWorld(options: ChaosWorldOptions): Promise<ChaosWorld> {
  const closers: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const closer of closers.splice(0).reverse()) {
      await closer().catch((error: unknown) => options.say(`while stopping: ${(error as Error).message}`));
    }
  };
  try {
    const { folder, toolsDir, seed } = options;
    const servers = await startServers({
      dataDir: folder,
      toolsDir,
      searchPath: process.env['PATH'] ?? '',
      temporalPort: 0,
      mongodbPort: 0,
      headless: true,
      onProgress: options.say,
    });
    closers.push(() => servers.stop());
    const ledgerFile = join(folder, 'ledger.jsonl');
    const helper = (file: string, args: string[]) => startHelper(file, args, options);
    const ledger = await helper('ledger-main.js', [
      '--file',
      ledgerFile,
      '--seed',
      String(seed),
      '--rate',
      LEDGER_FAULTS,
    ]);
    closers.push(() => ledger.stop());
    const model = await helper('model-main.js', ['--seed', String(seed), '--rate', MODEL_FAULTS]);
    closers.push(() => model.stop());
    const processes = await houseProcesses(options, servers, {
      CHAOS_LEDGER_URL: ledger.url,
      CHAOS_MODEL_URL: model.url,
    });
    const all = [...processes.workers, ...processes.apis];
    closers.push(() => Promise.all(all.map((process) => process.stop())));
    await Promise.all(all.map((process) => process.start()));
    const connection = Connection.lazy({ address: servers.temporal.address });
    closers.push(() => connection.close());
    return {
      apiUrls: processes.urls,
      ledgerUrl: ledger.url,
      ledgerFile,
      victims: {
        worker: processes.workers,
        executor: processes.workers.map((worker) => executorVictim(worker)),
        api: processes.apis,
        temporal: [serverVictim('temporal', servers.temporal)],
        mongodb: [serverVictim('mongodb', servers.mongodb)],
      },
      temporal: new Client({ connection }),
      logged: (text) => all.reduce((sum, { logFile }) => sum + readFileSync(logFile, 'utf8').split(text).length - 1, 0),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function houseProcesses(
  { folder, workers, apis, onCrash }: ChaosWorldOptions,
  servers: Servers,
  urls: Record<string, string>,
) {
  const shared = [
    ...['--config', join(packageRoot(), 'test', 'chaos', 'project', 'langgraph.json')],
    ...['--temporal-address', servers.temporal.address, '--task-queue', 'chaos'],
    ...['--mongodb-uri', servers.mongodb.address, '--database', 'chaos'],
  ];
  const env = {
    ...urls,
    COLLOQUY_MAX_TURNS: MAX_TURNS,
    COLLOQUY_MAX_STEPS: MAX_STEPS,
    COLLOQUY_STOP_GRACE_MS: STOP_GRACE_MS,
  };
  const make = (name: string, args: string[]) =>
    new ChaosProcess({
      name,
      args: [...args, ...shared],
      env,
      logFile: join(folder, 'logs', `${name}.log`),
      onCrash: (detail) => onCrash(name, detail),
    });
  const ports: number[] = [];
  for (let index = 0; index < apis; index += 1) ports.push(await freePort());
  return {
    workers: Array.from({ length: workers }, (_, index) => make(`worker-${index + 1}`, ['worker'])),
    apis: ports.map((port, index) => make(`api-${index + 1}`, ['api', '--port', String(port)])),
    urls: ports.map((port) => `http://127.0.0.1:${port}`),
  };
}

function serverVictim(name: string, { process: server }: Server): Victim {
  if (server === undefined) throw new Error(`${name} was not started by this program, so no fault may hit it`);
  return {
    name,
    kill: () => server.kill(),
    revive: () => server.restart(),
    freeze: () => server.suspend(),
    thaw: () => server.resume(),
  };
}

interface HelperProcess {
  url: string;
  stop(): Promise<void>;
}

/**
 * Starts the ledger or the model server. Faults never hit these processes. The process exits when
 * its IPC channel to this process closes.
 */
function startHelper(file: string, args: string[], { folder, onCrash }: ChaosWorldOptions): Promise<HelperProcess> {
  const logFile = join(folder, 'logs', `${file}.log`);
  const log = openLog(logFile);
  const stdio: StdioOptions = ['ignore', log, log, 'ipc'];
  const child: ChildProcess = fork(join(import.meta.dirname, file), args, { detached: true, stdio });
  closeSync(log);
  let stopping = false;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  return new Promise((ready, failed) => {
    child.once('exit', (code, signal) => {
      const detail = `${file} ended by itself (${signal ?? `exit code ${code}`}); ${logTail(logFile)}`;
      if (!stopping) onCrash(file, detail);
      failed(new Error(detail));
    });
    child.once('message', (message) => {
      const stop = () => {
        stopping = true;
        if (child.connected) child.disconnect();
        return gone;
      };
      ready({ url: (message as { url: string }).url, stop });
    });
  });
}

/**
 * Answers the open interrupt of a thread through Temporal instead of the API, and returns the id of
 * the new run. First waits until the conversation workflow shows the interrupt, which may be later
 * than in the API. Then sends the Temporal update `resume`. Retries of the update have the same
 * update id.
 */
export async function answerByTemporal(client: Client, clock: Clock, threadId: string, value: string): Promise<string> {
  const handle = client.workflow.getHandle(conversationId(DEFAULT_TENANT, threadId));
  const updateId = `answer-${threadId}-${Math.random()}`;
  let asked: PendingInterrupt | undefined;
  for (let last = 'nothing was tried'; ; ) {
    if (clock.expired) throw new StuckError(`update resume of thread ${threadId} has no answer; last: ${last}`);
    try {
      const look = () => handle.query<PendingInterrupt[]>(QUERIES.pendingInterrupts);
      const [question] = asked ? [asked] : await client.withDeadline(Date.now() + 10_000, look);
      asked = question;
      if (asked === undefined) {
        last = 'the conversation shows no question';
        await clock.pause(500);
        continue;
      }
      const update = () => handle.executeUpdate<Resumed, [object]>(UPDATES.resume, { args: [{ value }], updateId });
      return (await client.withDeadline(Date.now() + 10_000, update)).runId;
    } catch (error) {
      last = describe(error);
      if (!isOutage(error)) throw new RefusedError(`update resume of thread ${threadId}: ${last}`);
    }
    await clock.pause(500);
  }
}

function isOutage(error: unknown): boolean {
  for (let inner = error; inner instanceof Error; inner = inner.cause) {
    if (
      isGrpcServiceError(inner) ||
      inner.name === 'QueryNotRegisteredError' ||
      inner.name === 'WorkflowUpdateRPCTimeoutOrCancelledError'
    )
      return true;
  }
  return false;
}

function describe(error: unknown): string {
  const { message, cause } = error as Error;
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}
