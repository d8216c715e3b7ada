import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, lstatSync, readFileSync, renameSync } from 'node:fs';
import { dirname } from 'node:path';
import { ColloquyError } from '../protocol/index.js';
import { makeOwnFolder, openPrivateFile, withPrivateUmask } from './private-files.js';

export interface ChildSpec {
  /** What a person calls it: `Temporal`. */
  name: string;
  command: string;
  args: string[];
  logFile: string;
}

/** How a child process ended: `exit code 1`, `signal SIGKILL`. */
export type Ending = string;

/**
 * A server process of ours, in a process group of its own so that Ctrl-C reaches us alone.
 * The files that it creates are its owner's alone.
 */
export interface Child {
  readonly pid: number;
  readonly ended: Promise<Ending>;
  readonly running: boolean;
  signal(signal: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL when it is not gone after `graceMs`. */
  stop(graceMs?: number): Promise<void>;
}

const STOP_GRACE_MS = 10_000;

export function startChild(spec: ChildSpec): Child {
  const log = openLog(spec.logFile);
  const child = withPrivateUmask(() =>
    spawn(spec.command, spec.args, {
      detached: true,
      stdio: ['ignore', log, log],
    }),
  );
  closeSync(log);
  return superviseChild(spec.name, child);
}

function superviseChild(name: string, child: ChildProcess): Child {
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
 * Ends the server when we die without a chance to do it (SIGKILL, a crash): it waits for the end of a pipe that only we hold.
 * It goes as soon as the server is gone, so that it does not meet a process id that was given out again.
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

/** Tries `probe` until it succeeds. Errors: `unavailable`, with the end of the log, when the server ends or time is up. */
export async function untilReady(
  spec: ChildSpec,
  child: Child,
  probe: () => Promise<void>,
  timeoutMs: number,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
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
      last = error;
    }
    await Promise.race([child.ended, new Promise((resolve) => setTimeout(resolve, 50))]);
  }
  const seconds = timeoutMs / 1000;
  throw new ColloquyError('unavailable', `${spec.name} did not answer within ${seconds} s; ${logTail(spec.logFile)}`, {
    cause: last,
  });
}

const LARGEST_LOG_BYTES = 16 * 1024 * 1024;

/** Opens a log of its owner's alone for appending; a large one is renamed to `<name>.1` first. Errors: `forbidden`. */
export function openLog(file: string): number {
  makeOwnFolder(dirname(file));
  const size = lstatSync(file, { throwIfNoEntry: false })?.size ?? 0;
  if (size > LARGEST_LOG_BYTES) renameSync(file, `${file}.1`);
  return openPrivateFile(file, 'a');
}

export function logTail(file: string): string {
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').slice(-8);
  return `last lines of ${file}:\n  ${lines.join('\n  ')}`;
}
