import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { ColloquyError } from '../../protocol/index.js';
import { childEnvironment } from '../../config/index.js';
import type { OnProgress } from '../../servers/progress.js';
import { logTail, openLog } from '../../servers/log-file.js';
import type { ReadyMessage } from '../serve.js';
import { packageRoot } from '../package.js';

export interface SupervisedOptions {
  /** What a person calls it: `worker 1`. */
  name: string;
  /** Command line of `colloquy`: `['worker', '--config', 'langgraph.json']`. */
  args: string[];
  /** Changes to our environment. */
  environment: Record<string, string>;
  logFile: string;
  onProgress: OnProgress;
}

/** A process of ours that is started again when it ends by itself. */
export interface Supervised {
  readonly pid: number | undefined;
  /** What the process told when it was ready for the first time. Rejects when it never was. */
  readonly ready: Promise<Record<string, string | number>>;
  /** SIGKILL, SIGSTOP, SIGCONT: for tests that break things. The supervisor starts it again as after any crash. */
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL after the grace; it is not started again. */
  stop(graceMs?: number): Promise<void>;
}

const FIRST_BACKOFF_MS = 500;
const LONGEST_BACKOFF_MS = 10_000;
/** A process that served for so long did not fail at its start: the next restart is quick again. */
const HEALTHY_MS = 30_000;
const STOP_GRACE_MS = 30_000;

export function supervise(options: SupervisedOptions): Supervised {
  let child: ChildProcess | undefined;
  let stopping = false;
  let wake: (() => void) | undefined;
  let tellReady: (details: ReadyMessage['ready']) => void = () => {};
  let tellFailed: (error: Error) => void = () => {};
  const ready = new Promise<ReadyMessage['ready']>((resolve, reject) => {
    tellReady = resolve;
    tellFailed = reject;
  });
  ready.catch(() => {});

  const live = async () => {
    let wasReady = false;
    let backoff = FIRST_BACKOFF_MS;
    while (!stopping) {
      const startedAt = Date.now();
      child = startColloquy(options);
      child.once('message', (message) => {
        if (wasReady) options.onProgress(`${options.name} is back`);
        wasReady = true;
        tellReady((message as ReadyMessage).ready);
      });
      const ending = await endOf(child);
      if (stopping) return;
      if (!wasReady) {
        tellFailed(
          new ColloquyError('unavailable', `${options.name} ended (${ending}) at start; ${logTail(options.logFile)}`),
        );
        return;
      }
      if (Date.now() - startedAt > HEALTHY_MS) backoff = FIRST_BACKOFF_MS;
      options.onProgress(
        `${options.name} ended (${ending}); starting it again in ${backoff / 1000} s; its log is ${options.logFile}`,
      );
      await new Promise<void>((resolve) => {
        wake = resolve;
        setTimeout(resolve, backoff);
      });
      backoff = Math.min(backoff * 2, LONGEST_BACKOFF_MS);
    }
  };
  const ended = live();

  return {
    get pid() {
      return child?.pid;
    },
    ready,
    signal: (signal) => void child?.kill(signal),
    async stop(graceMs = STOP_GRACE_MS) {
      stopping = true;
      wake?.();
      child?.kill('SIGCONT');
      child?.kill('SIGTERM');
      const timer = setTimeout(() => child?.kill('SIGKILL'), graceMs);
      await ended;
      clearTimeout(timer);
    },
  };
}

/** In a group of its own, so that Ctrl-C in the terminal reaches the supervisor alone; it ends by itself when our channel to it does. */
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
