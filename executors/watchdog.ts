import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

/**
 * A thread inside an executor. It ends the executor, even if the main thread is blocked, when the
 * process that started the executor is gone, or when the executor needs too much memory. It ends the
 * whole process group, so child processes of nodes end too.
 */
const CHECK_MS = 250;

const { parent, maxRssBytes } = workerData as { parent: number; maxRssBytes: number };

setInterval(() => {
  const rss = process.memoryUsage.rss();
  if (process.ppid !== parent) end();
  if (rss <= maxRssBytes) return;
  writeSync(2, `out of memory: the executor has ${megabytes(rss)} MB, and the limit is ${megabytes(maxRssBytes)} MB\n`);
  end();
}, CHECK_MS);
parentPort?.unref();

function end(): void {
  process.kill(-process.pid, 'SIGKILL');
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}
