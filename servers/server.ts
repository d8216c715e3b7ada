import { execFileSync } from 'node:child_process';
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ColloquyError } from '../protocol/index.js';
import { isAlive, readJson } from './binaries.js';
import { startChild, untilReady } from './child.js';
import type { Child, ChildSpec } from './child.js';
import { makePrivateFolder, writePrivateFile } from './private-files.js';

/** A server that serves, ours or somebody's. */
export interface Server {
  /** `host:port` of Temporal, connection string of MongoDB. */
  readonly address: string;
  /** Which one serves, for people. */
  readonly label: string;
  /** Present where we started it. */
  readonly process?: ServerProcess;
  stop(): Promise<void>;
}

/** Handles on a server process of ours, for tests that break things. */
export interface ServerProcess {
  readonly pid: number;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGSTOP, and SIGCONT. */
  suspend(): void;
  resume(): void;
  /** Starts it again on the same port and data, ready when it resolves; ends it first where it still runs. */
  restart(): Promise<void>;
  /** Called when it ends without having been told to. */
  onCrash(listener: (ending: string) => void): void;
}

export interface OwnedServer {
  spec: ChildSpec;
  address: string;
  label: string;
  pidFile: string;
  /** Part of its command line that tells it from any other process: its data path. */
  mark: string;
  probe: () => Promise<void>;
  readyTimeoutMs: number;
}

/** Starts a server and keeps its process id on file, so that no second one works on the same data. */
export async function startOwned(options: OwnedServer): Promise<Server> {
  await claim(options);
  let child = await launch(options);
  let told = false;
  const listeners: ((ending: string) => void)[] = [];
  const watch = (watched: Child) => {
    void watched.ended.then((ending) => {
      if (!told && watched === child) for (const listener of listeners) listener(ending);
    });
  };
  watch(child);
  const kill = async () => {
    told = true;
    child.signal('SIGKILL');
    await child.ended;
  };
  const handle: ServerProcess = {
    get pid() {
      return child.pid;
    },
    kill,
    suspend: () => child.signal('SIGSTOP'),
    resume: () => child.signal('SIGCONT'),
    async restart() {
      await kill();
      child = await launch(options);
      told = false;
      watch(child);
    },
    onCrash: (listener) => void listeners.push(listener),
  };
  return {
    address: options.address,
    label: options.label,
    process: handle,
    async stop() {
      told = true;
      await child.stop();
      rmSync(options.pidFile, { force: true });
    },
  };
}

async function launch(options: OwnedServer): Promise<Child> {
  const child = startChild(options.spec);
  try {
    const record: PidRecord = { pid: child.pid, owner: process.pid, mark: options.mark };
    writePrivateFile(options.pidFile, JSON.stringify(record));
    await untilReady(options.spec, child, options.probe, options.readyTimeoutMs);
    return child;
  } catch (error) {
    await child.stop(0);
    rmSync(options.pidFile, { force: true });
    throw error;
  }
}

interface PidRecord {
  pid: number;
  /** The process that started the server. */
  owner: number;
  mark: string;
}

/**
 * Makes sure that nothing else works on the data. A server left over by an owner that died is ended; one whose owner lives is not ours to
 * take. Errors: `already_exists`.
 */
async function claim({ pidFile, spec }: OwnedServer): Promise<void> {
  makePrivateFolder(dirname(pidFile));
  const record = readJson<PidRecord>(pidFile);
  if (record === undefined || !isStillIt(record)) return;
  if (record.owner !== process.pid && isAlive(record.owner)) {
    throw new ColloquyError(
      'already_exists',
      `${spec.name} runs on ${dirname(pidFile)} already (process ${record.pid}, started by process ${record.owner}); stop that one or choose another --data-dir`,
    );
  }
  process.kill(record.pid, 'SIGCONT');
  process.kill(record.pid, 'SIGTERM');
  for (let waited = 0; isAlive(record.pid); waited += 100) {
    if (waited === 10_000) process.kill(record.pid, 'SIGKILL');
    await sleep(100);
  }
}

/** A process id may have been given to another process since. */
function isStillIt({ pid, mark }: PidRecord): boolean {
  if (!isAlive(pid)) return false;
  try {
    return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' }).includes(mark);
  } catch {
    return false;
  }
}
