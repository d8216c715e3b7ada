import { fork, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { MongoClient } from 'mongodb';

/** A worker or API process of its own, so that it can be killed. */
export interface ServiceProcess {
  url: string;
  pid: number;
  /** What it has written to stderr: its log. */
  log: () => string;
  /** How it ended; undefined while it runs. */
  ending: () => string | undefined;
  /** Resolves when it is gone. */
  kill(signal?: NodeJS.Signals): Promise<void>;
}

/** Processes around one database and task queue on the servers of the tests. */
export class ServiceProcesses {
  readonly name = `house-${randomUUID()}`;
  readonly mongodbUri = required('COLLOQUY_TEST_MONGODB_URI');
  readonly temporalAddress = required('COLLOQUY_TEST_TEMPORAL_ADDRESS');
  readonly #processes = new Set<ServiceProcess>();

  /** `env` is added to the environment of its processes. */
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
    await Promise.all([...this.#processes].map((one) => one.kill()));
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
    const said: string[] = [];
    child.stderr?.on('data', (chunk: Buffer) => said.push(chunk.toString('utf8')));
    const ready = await readiness(child, command, said);
    const started: ServiceProcess = {
      url: ready.url ?? '',
      pid: child.pid ?? 0,
      log: () => said.join(''),
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

function readiness(child: ChildProcess, command: string, said: string[]): Promise<{ url?: string }> {
  child.stdout?.resume();
  return new Promise((done, fail) => {
    child.once('exit', (code) =>
      fail(new Error(`${command} ended with ${code} before it was ready:\n${said.join('')}`)),
    );
    child.once('message', (message) => done((message as { ready: { url?: string } }).ready));
  });
}

function required(name: string): string {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set`);
  return value;
}
