import { fork, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { MongoClient } from 'mongodb';
import { searchPath } from '../config/index.js';
import { logTail, openLog } from '../servers/log-file.js';
import { packageRoot } from '../cli/index.js';
import { startServers, type Servers } from '../servers/embedded-servers.js';

export interface HouseOptions {
  /**
   * Addresses of servers that run already. Default: the bench starts its own, and stops them at its
   * end.
   */
  temporalAddress?: string;
  mongodbUri?: string;
  /** Folder for the CPU profiles of the processes. Default: no profiles. */
  profileDir?: string;
  say: (line: string) => void;
}

/** A process that a bench measures or needs. */
export interface BenchProcess {
  pid: number;
  /** What the process reported when it was ready, such as its URL. */
  details: Record<string, string | number>;
  /**
   * Stops the process with a signal, and with SIGKILL if it has not exited after 30 s. Default:
   * SIGTERM. Resolves when the process has exited.
   */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

export const PROJECT = join(packageRoot(), 'bench', 'project', 'langgraph.json');
const STOP_GRACE_MS = 30_000;
/**
 * Sampling interval of CPU profiles, in microseconds. With Node.js's default of 1 ms, each process
 * would be woken so often that the profiles would cost a tenth of the machine's CPU time.
 */
const PROFILE_INTERVAL_US = 5_000;

/**
 * The servers and processes of one bench, in one temporary folder. Nothing remains after `stop`,
 * except the workflows in an external Temporal server.
 */
export class BenchHouse {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'colloquy-bench-'));
  readonly name = `bench-${process.pid}`;
  readonly #options: HouseOptions;
  readonly #closers: (() => Promise<unknown>)[] = [];
  #servers: Servers | undefined;
  readonly #pids = new Map<string, number>();
  #started = 0;
  #stopping: Promise<void> | undefined;

  private constructor(options: HouseOptions) {
    this.#options = options;
  }

  static async start(options: HouseOptions): Promise<BenchHouse> {
    const house = new BenchHouse(options);
    const { temporalAddress, mongodbUri, say } = options;
    try {
      house.#servers = await startServers({
        dataDir: house.dataDir,
        toolsDir: join(packageRoot(), '.colloquy'),
        searchPath: searchPath(),
        temporalPort: 0,
        mongodbPort: 0,
        headless: true,
        ...(temporalAddress !== undefined && { temporalAddress }),
        ...(mongodbUri !== undefined && { mongodbUri }),
        onProgress: say,
      });
    } catch (error) {
      await house.stop();
      throw error;
    }
    return house;
  }

  get temporalAddress(): string {
    return this.#running.temporal.address;
  }

  get mongodbUri(): string {
    return this.#running.mongodb.address;
  }

  /** Process ids by the name of the process, including the servers that this bench has started. */
  get pids(): ReadonlyMap<string, number> {
    const { temporal, mongodb } = this.#running;
    const servers = { Temporal: temporal.process?.pid, database: mongodb.process?.pid };
    const started = Object.entries(servers).flatMap(([name, pid]) => (pid === undefined ? [] : [[name, pid] as const]));
    return new Map([...this.#pids, ...started]);
  }

  get #running(): Servers {
    if (this.#servers === undefined) throw new Error('the servers are not started');
    return this.#servers;
  }

  say(line: string): void {
    this.#options.say(line);
  }

  /**
   * Starts a worker. `mongodbUri`: another address of the bench's database, such as that of a
   * proxy.
   */
  worker(mongodbUri = this.mongodbUri): Promise<BenchProcess> {
    return this.#colloquy('worker', [], mongodbUri);
  }

  /**
   * Starts a worker and an API process from a checkout of Colloquy, with a task queue and a
   * database of their own. Returns the URL of the API.
   */
  async tree(root: string, name: string, environment: Record<string, string>): Promise<string> {
    const side = { root, name: `${this.name}-${name}` };
    await this.#colloquy('worker', [], this.mongodbUri, environment, side);
    const { details } = await this.#colloquy('api', ['--port', '0'], this.mongodbUri, environment, side);
    return String(details['url']);
  }

  /** Starts an API process. Returns its URL. */
  async api(environment: Record<string, string> = {}, mongodbUri = this.mongodbUri): Promise<string> {
    const { details } = await this.#colloquy('api', ['--port', '0'], mongodbUri, environment);
    return String(details['url']);
  }

  #colloquy(
    command: string,
    flags: string[],
    mongodbUri: string,
    environment: Record<string, string> = {},
    { root, name } = { root: packageRoot(), name: this.name },
  ): Promise<BenchProcess> {
    const project = join(root, 'bench', 'project', 'langgraph.json');
    const common = ['--config', project, '--task-queue', name, '--database', name];
    const addresses = ['--temporal-address', this.temporalAddress, '--mongodb-uri', mongodbUri];
    const script = join(root, 'bin', 'colloquy.mjs');
    return this.fork(command, script, [command, ...common, ...addresses, ...flags], environment);
  }

  /**
   * Starts a Node.js program. Resolves when the program reports by IPC that it is ready, as
   * Colloquy's own processes do.
   */
  async fork(
    name: string,
    script: string,
    args: string[],
    environment: Record<string, string> = {},
  ): Promise<BenchProcess> {
    const { profileDir } = this.#options;
    this.#started += 1;
    const logFile = join(this.dataDir, 'logs', `${name}-${this.#started}.log`);
    const log = openLog(logFile);
    const profile = [
      `--cpu-prof`,
      `--cpu-prof-interval=${PROFILE_INTERVAL_US}`,
      `--cpu-prof-dir=${profileDir}`,
      `--cpu-prof-name=${name}-${this.#started}.cpuprofile`,
    ];
    const child = fork(script, args, {
      stdio: ['ignore', log, log, 'ipc'],
      execArgv: profileDir === undefined ? [] : profile,
      env: { ...process.env, ...environment },
    });
    const gone = new Promise<void>((done) => child.once('exit', () => done()));
    const kill = async (signal: NodeJS.Signals = 'SIGTERM') => {
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_GRACE_MS);
      child.kill(signal);
      await gone;
      clearTimeout(timer);
    };
    this.onStop(() => (child.exitCode === null && child.signalCode === null ? kill() : gone));
    this.#pids.set(`${name} ${this.#started}`, child.pid ?? 0);
    const details = await readiness(child, () => `${name} ended before it was ready; ${logTail(logFile)}`);
    return { pid: child.pid ?? 0, details, kill };
  }

  /** Registers a function that `stop` calls. `stop` calls the functions in reverse order. */
  onStop(close: () => Promise<unknown>): void {
    this.#closers.push(close);
  }

  stop(): Promise<void> {
    return (this.#stopping ??= this.#stop());
  }

  async #stop(): Promise<void> {
    for (const close of this.#closers.splice(0).reverse()) {
      await close().catch((error: unknown) => this.say(`at the end: ${String(error)}`));
    }
    if (this.#options.mongodbUri !== undefined) await this.#dropDatabases(this.#options.mongodbUri);
    await this.#servers?.stop();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  /** Drops the databases of this bench on a MongoDB server that the bench did not start. */
  async #dropDatabases(uri: string): Promise<void> {
    const client = await MongoClient.connect(uri);
    try {
      const { databases } = await client.db().admin().listDatabases();
      const ours = databases.filter(({ name }) => name === this.name || name.startsWith(`${this.name}-`));
      for (const { name } of ours) await client.db(name).dropDatabase();
    } finally {
      await client.close();
    }
  }
}

/** Creates a client with LangGraph's SDK, as a user of the API does. */
export function sdkClient(apiUrl: string): Client {
  return new Client({ apiUrl, apiKey: null });
}

function readiness(child: ChildProcess, explain: () => string): Promise<BenchProcess['details']> {
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('exit', () => fail(new Error(explain())));
    child.once('message', (message) => done((message as { ready: BenchProcess['details'] }).ready));
  });
}
