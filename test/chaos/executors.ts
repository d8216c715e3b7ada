import { readFileSync, readdirSync } from 'node:fs';
import type { Victim } from './faults.js';

/**
 * The executors of a worker as a victim. A fault hits all that the worker has at that moment. The
 * worker starts others when it needs them, so there is nothing to revive.
 */
export function executorVictim(worker: { name: string; pid: number | undefined }): Victim {
  let frozen: number[] = [];
  const signal = (pids: readonly number[], name: NodeJS.Signals) => {
    for (const pid of pids) {
      try {
        process.kill(pid, name);
      } catch {
        // It has ended meanwhile.
      }
    }
  };
  return {
    name: `executors of ${worker.name}`,
    kill: () => Promise.resolve(signal(executorsOf(worker.pid), 'SIGKILL')),
    revive: () => Promise.resolve(),
    freeze: () => signal((frozen = executorsOf(worker.pid)), 'SIGSTOP'),
    thaw: () => signal(frozen.splice(0), 'SIGCONT'),
  };
}

/** Returns the child processes of a process that run the program of an executor. */
function executorsOf(parent: number | undefined): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
        const ppid = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
        return ppid === parent && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('executor-main');
      } catch {
        return false;
      }
    })
    .map(Number);
}
