import { writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

/**
 * A thread inside an executor. It ends the executor, even if the main thread is blocked, when the
 * process that started the executor is gone, when the executor needs too much memory, or when it is
 * to exit and a handler of the event `exit` does not return. It ends the whole process group, so
 * child processes of nodes end too.
 */
const CHECK_MS = 250;
/** How many checks the handlers of the event `exit` may take. */
const EXIT_CHECKS = 8;

interface WatchdogData {
  parent: number;
  maxRssBytes: number;
  /** One integer. The main thread sets it to its exit code plus 1 when it exits. */
  exiting: SharedArrayBuffer;
}

const { parent, maxRssBytes, exiting } = workerData as WatchdogData;
const exit = new Int32Array(exiting);
let exitChecks = 0;

setInterval(() => {
  if (process.ppid !== parent) end();
  const rss = process.memoryUsage.rss();
  if (rss > maxRssBytes) {
    end(`out of memory: the executor has ${megabytes(rss)} MB, and the limit is ${megabytes(maxRssBytes)} MB`);
  }
  const code = Atomics.load(exit, 0) - 1;
  if (code >= 0 && ++exitChecks > EXIT_CHECKS) {
    end(`the executor exits with code ${code}, and a handler of the event exit does not return`);
  }
}, CHECK_MS);
parentPort?.unref();

function end(reason?: string): void {
  if (reason !== undefined) writeSync(2, `${reason}\n`);
  process.kill(-process.pid, 'SIGKILL');
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}
