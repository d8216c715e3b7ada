import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { ColloquyError } from '../protocol/index.js';
import { logTail, openLog } from './log-file.js';
import { withPrivateUmask } from './private-files.js';

export interface ChildSpec {
  /** Name of the program for messages, such as `Temporal`. */
  name: string;
  command: string;
  args: string[];
  logFile: string;
}

/** How a child process ended: `exit code 1`, `signal SIGKILL`. */
export type Ending = string;

/**
 * A child process that ends when this process ends. Files that it creates can be read only by the
 * OS user that it runs as.
 */
export interface Child {
  readonly pid: number;
  readonly ended: Promise<Ending>;
  readonly running: boolean;
  signal(signal: NodeJS.Signals): void;
  /**
   * Sends SIGTERM. Sends SIGKILL if the process still runs after `graceMs`. Resolves when the
   * process has ended.
   */
  stop(graceMs?: number): Promise<void>;
}

const STOP_GRACE_MS = 10_000;
const PROBE_INTERVAL_MS = 50;

export function startChild(spec: ChildSpec): Child {
  const log = openLog(spec.logFile);
  const child = withPrivateUmask(() =>
    spawn(spec.command, spec.args, {
      // The child gets a process group of its own, because Ctrl-C in the terminal must reach only
      // this process.
      detached: true,
      stdio: ['ignore', log, log],
    }),
  );
  closeSync(log);
  return controlChild(spec.name, child);
}

function controlChild(name: string, child: ChildProcess): Child {
  let running = true;
  const ended = new Promise<Ending>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
  const reaper = child.pid === undefined ? undefined : startReaper(child.pid);
  void ended.then(() => {
    running = false;
    reaper?.kill('SIGKILL');
  });
  const signal = (which: NodeJS.Signals) => {
    if (running) child.kill(which);
  };
  return {
    get pid() {
      if (child.pid === undefined) throw new ColloquyError('unavailable', `${name} could not be started`);
      return child.pid;
    },
    get running() {
      return running;
    },
    ended,
    signal,
    async stop(graceMs = STOP_GRACE_MS) {
      signal('SIGCONT');
      signal('SIGTERM');
      const timer = setTimeout(() => signal('SIGKILL'), graceMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

/**
 * Starts a reaper: a process that ends the server if this process dies without stopping the server
 * (SIGKILL, a crash). To notice this, the reaper waits for the end of a pipe that only this process
 * holds open. The reaper itself is killed as soon as the server has ended, because the operating
 * system may then give the server's process id to another process.
 */
function startReaper(pid: number): ChildProcess {
  const script = `cat >/dev/null; kill -CONT "$1"; kill -TERM "$1"; n=0
    while [ $n -lt 100 ]; do kill -0 "$1" || exit; n=$((n+1)); sleep 0.1; done
    kill -KILL "$1"`;
  const reaper = spawn('sh', ['-c', script, 'sh', String(pid)], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  reaper.on('error', () => {});
  reaper.stdin?.on('error', () => {});
  (reaper.stdin as unknown as { unref?: () => void }).unref?.();
  reaper.unref();
  return reaper;
}

/**
 * Waits until the server is ready: calls `probe` until it succeeds. Errors: `unavailable`, with the
 * last lines of the log file, if the server ends or does not become ready in time.
 */
export async function untilReady(
  spec: ChildSpec,
  child: Child,
  probe: () => Promise<void>,
  timeoutMs: number,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  let lastError: unknown;
  while (Date.now() < deadline) {
    if (!child.running) {
      throw new ColloquyError(
        'unavailable',
        `${spec.name} ended (${await child.ended}) at start; ${logTail(spec.logFile)}`,
      );
    }
    try {
      return await probe();
    } catch (error) {
      lastError = error;
    }
    await Promise.race([child.ended, new Promise((resolve) => setTimeout(resolve, PROBE_INTERVAL_MS))]);
  }
  const seconds = timeoutMs / 1000;
  throw new ColloquyError('unavailable', `${spec.name} did not answer within ${seconds} s; ${logTail(spec.logFile)}`, {
    cause: lastError,
  });
}
