import { execFileSync } from 'node:child_process';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ColloquyError } from '../protocol/index.js';
import { readJson } from './json-file.js';
import { makePrivateFolder, writePrivateFile } from './private-files.js';

const POLL_MS = 100;
const STOP_GRACE_MS = 10_000;

interface PidRecord {
  pid: number;
  /** Process id of the process that started the server. */
  owner: number;
  mark: string;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/**
 * Writes the process id of a server. `mark` is a part of the server's command line that no other
 * process has: the path of its data.
 */
export function writePidFile(file: string, pid: number, mark: string): void {
  const record: PidRecord = { pid, owner: process.pid, mark };
  writePrivateFile(file, JSON.stringify(record));
}

/**
 * Ends the server that a PID file names, if the server still runs. After that, a new server can use
 * the same data. Errors: `already_exists` if another process started the server and that process is
 * still alive.
 */
export async function endLeftover(pidFile: string, serverName: string): Promise<void> {
  makePrivateFolder(dirname(pidFile));
  const record = readJson<PidRecord>(pidFile);
  if (record === undefined || !isRunning(record)) return;
  const { pid, owner } = record;
  if (owner !== process.pid && isAlive(owner)) {
    throw new ColloquyError(
      'already_exists',
      `${serverName} already runs on ${dirname(pidFile)} (process ${pid}, started by process ${owner}); ` +
        'stop it or choose another --data-dir',
    );
  }
  process.kill(pid, 'SIGCONT');
  process.kill(pid, 'SIGTERM');
  for (let waited = 0; isAlive(pid); waited += POLL_MS) {
    if (waited === STOP_GRACE_MS) process.kill(pid, 'SIGKILL');
    await sleep(POLL_MS);
  }
}

/**
 * Returns whether the recorded server still runs. Also compares the command line of the process,
 * because the operating system may have given the process id to another process.
 */
function isRunning({ pid, mark }: PidRecord): boolean {
  if (!isAlive(pid)) return false;
  try {
    return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' }).includes(mark);
  } catch {
    return false;
  }
}
