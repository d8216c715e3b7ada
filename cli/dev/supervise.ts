import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { childEnvironment } from '../../config/index.js';
import { ColloquyError } from '../../protocol/index.js';
import { logTail, openLog } from '../../servers/index.js';
import type { OnProgress } from '../../servers/index.js';
import { packageRoot } from '../package.js';
import type { ReadyMessage } from '../serve.js';

export interface SupervisedOptions {
  /** Name of the process in messages, such as `worker 1`. */
  name: string;
  /** Arguments of the program `colloquy`, such as `['worker', '--config', 'langgraph.json']`. */
  args: string[];
  /** Changes to the environment of this process. */
  environment: Record<string, string>;
  logFile: string;
  onProgress: OnProgress;
}

/**
 * A `colloquy` process. If it ends without a call of `stop`, it is restarted. It is not restarted
 * if it ends before it was ready for the first time.
 */
export interface Supervised {
  readonly pid: number | undefined;
  /**
   * Details of the first {@link ReadyMessage} of the process. Rejects if the process ends before it
   * is ready.
   */
  readonly ready: Promise<ReadyMessage['ready']>;
  /**
   * Sends a signal; for tests. If the signal ends the process, the process is restarted as after a
   * crash.
   */
  signal(signal: NodeJS.Signals): void;
  /**
   * Sends SIGTERM, and SIGKILL if the process still runs after `graceMs`. The process is not
   * restarted.
   */
  stop(graceMs?: number): Promise<void>;
}

const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 10_000;
/**
 * If a process has run for longer than this, in ms, its start was a success. The pause before its
 * next restart is then `FIRST_BACKOFF_MS` again.
 */
const HEALTHY_MS = 30_000;
const STOP_GRACE_MS = 30_000;

export function supervise(options: SupervisedOptions): Supervised {
  let child: ChildProcess | undefined;
  let stopping = false;
  let endBackoff: (() => void) | undefined;
  let resolveReady: (details: ReadyMessage['ready']) => void = () => {};
  let rejectReady: (error: Error) => void = () => {};
  const ready = new Promise<ReadyMessage['ready']>((resolve, reject) => {
    resolveReady = resolve;
    rejectReady = reject;
  });
  ready.catch(() => {});

  const run = async () => {
    let wasReady = false;
    let backoff = FIRST_BACKOFF_MS;
    while (!stopping) {
      const startedAt = Date.now();
      child = startColloquy(options);
      child.once('message', (message) => {
        if (wasReady) options.onProgress(`${options.name} is back`);
        wasReady = true;
        resolveReady((message as ReadyMessage).ready);
      });
      const ending = await endOf(child);
      if (stopping) return;
      if (!wasReady) {
        const problem = `${options.name} ended (${ending}) at start; ${logTail(options.logFile)}`;
        rejectReady(new ColloquyError('unavailable', problem));
        return;
      }
      if (Date.now() - startedAt > HEALTHY_MS) backoff = FIRST_BACKOFF_MS;
      options.onProgress(
        `${options.name} ended (${ending}); restarting it in ${backoff / 1000} s; its log is ${options.logFile}`,
      );
      await new Promise<void>((resolve) => {
        endBackoff = resolve;
        setTimeout(resolve, backoff);
      });
      backoff = Math.min(backoff * 2, LONGEST_BACKOFF_MS);
    }
  };
  const ended = run();

  return {
    get pid() {
      return child?.pid;
    },
    ready,
    signal: (signal) => void child?.kill(signal),
    async stop(graceMs = STOP_GRACE_MS) {
      stopping = true;
      endBackoff?.();
      child?.kill('SIGCONT');
      child?.kill('SIGTERM');
      const timer = setTimeout(() => child?.kill('SIGKILL'), graceMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

/**
 * Starts the process in a process group of its own, so that Ctrl-C in the terminal reaches only the
 * supervisor. The process stops when its IPC channel to the supervisor closes.
 */
function startColloquy({ args, environment, logFile }: SupervisedOptions): ChildProcess {
  const log = openLog(logFile);
  const child = spawn(process.execPath, ['--enable-source-maps', join(packageRoot(), 'bin', 'colloquy.mjs'), ...args], {
    detached: true,
    stdio: ['ignore', log, log, 'ipc'],
    env: childEnvironment(environment),
  });
  closeSync(log);
  return child;
}

function endOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal === null ? `exit code ${code}` : `signal ${signal}`));
  });
}
