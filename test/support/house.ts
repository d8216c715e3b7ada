import { fork, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { MongoClient } from 'mongodb';

/** A separate worker or API process, which a test can kill. */
export interface ServiceProcess {
  url: string;
  pid: number;
  /** Returns everything that the process has written to stderr so far: its log lines. */
  log: () => string;
  /** Returns the exit code and the signal of the process, or undefined while it runs. */
  ending: () => string | undefined;
  /** Sends the signal to the process, by default SIGTERM. Resolves when the process has exited. */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/** Worker and API processes that share a database and a task queue on the test servers. */
export class ServiceProcesses {
  readonly name = `house-${randomUUID()}`;
  readonly mongodbUri = required('COLLOQUY_TEST_MONGODB_URI');
  readonly temporalAddress = required('COLLOQUY_TEST_TEMPORAL_ADDRESS');
  readonly #processes = new Set<ServiceProcess>();

  /**
   * `project` is the path of the project's `langgraph.json`. `env` is added to the environment of
   * all processes.
   */
  constructor(
    private readonly project: string,
    private readonly env: Record<string, string> = {},
  ) {}

  worker(): Promise<ServiceProcess> {
    return this.#start('worker', []);
  }

  api(): Promise<ServiceProcess> {
    return this.#start('api', ['--port', '0']);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#processes].map((process) => process.kill()));
    const client = await MongoClient.connect(this.mongodbUri);
    await client.db(this.name).dropDatabase();
    await client.close();
  }

  async #start(command: 'worker' | 'api', flags: string[]): Promise<ServiceProcess> {
    const child = fork(
      resolve('bin/colloquy.mjs'),
      [
        command,
        ...['--config', this.project],
        ...['--temporal-address', this.temporalAddress, '--task-queue', this.name],
        ...['--mongodb-uri', this.mongodbUri, '--database', this.name],
        ...flags,
      ],
      { silent: true, env: { ...process.env, ...this.env, NODE_OPTIONS: '' } },
    );
    const gone = new Promise<void>((done) => child.once('exit', () => done()));
    const stderr: string[] = [];
    child.stderr?.on('data', (chunk: Buffer) => stderr.push(chunk.toString('utf8')));
    const ready = await readiness(child, command, stderr);
    const started: ServiceProcess = {
      url: ready.url ?? '',
      pid: child.pid ?? 0,
      log: () => stderr.join(''),
      ending: () =>
        child.exitCode === null && child.signalCode === null ? undefined : `${child.exitCode} ${child.signalCode}`,
      kill: async (signal = 'SIGTERM') => {
        this.#processes.delete(started);
        child.kill(signal);
        await gone;
      },
    };
    this.#processes.add(started);
    return started;
  }
}

function readiness(child: ChildProcess, command: string, stderr: string[]): Promise<{ url?: string }> {
  child.stdout?.resume();
  return new Promise((done, fail) => {
    child.once('exit', (code) =>
      fail(new Error(`${command} ended with ${code} before it was ready:\n${stderr.join('')}`)),
    );
    child.once('message', (message) => done((message as { ready: { url?: string } }).ready));
  });
}

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}
