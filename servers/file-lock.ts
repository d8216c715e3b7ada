import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from './pid-file.js';
import { writePrivateFile } from './private-files.js';

const POLL_MS = 200;

/**
 * Waits for the lock file and holds it while `work` runs, so that only one process at a time does
 * this work. Takes over the lock of a process that no longer exists.
 */
export async function withLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  mkdirSync(dirname(file), { recursive: true });
  while (!tryLock(file)) await sleep(POLL_MS);
  try {
    return await work();
  } finally {
    rmSync(file, { force: true });
  }
}

function tryLock(file: string): boolean {
  try {
    writePrivateFile(file, String(process.pid), 'wx');
    return true;
  } catch {
    const owner = Number(existsSync(file) ? readFileSync(file, 'utf8') : '0');
    if (owner > 0 && !isAlive(owner)) rmSync(file, { force: true });
    return false;
  }
}
