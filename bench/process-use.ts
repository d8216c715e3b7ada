import { readFileSync } from 'node:fs';

/** Resource use of a process. Linux only. */
export interface ProcessUse {
  /** CPU time since the start of the process, in ms. */
  cpuMs: number;
  /** Private resident memory, in MB (2^20). */
  memoryMb: number;
}

/**
 * Duration of one clock tick in `/proc`, in ms. By the kernel's ABI, a second has 100 of these
 * ticks.
 */
const TICK_MS = 10;

/** Returns the CPU time that each process has used since its start, in ms, by process name. */
export function cpuTimes(pids: ReadonlyMap<string, number>): Map<string, number> {
  return new Map([...pids].map(([name, pid]) => [name, processUse(pid).cpuMs]));
}

/**
 * Formats the CPU time that each process has used between two readings, and the sum of these times.
 * Each time is divided by `count`, for example the number of turns. Unit: ms.
 */
export function formatUse(
  before: ReadonlyMap<string, number>,
  after: ReadonlyMap<string, number>,
  count: number,
): string {
  const used = [...after].map(([name, ms]) => [name, (ms - (before.get(name) ?? 0)) / count] as const);
  const sum = used.reduce((total, [, ms]) => total + ms, 0);
  return [...used, ['all', sum] as const].map(([name, ms]) => `${name} ${ms.toFixed(2)}`).join(', ');
}

/**
 * Reads the resource use of a process. Errors: if the system has no `/proc`, or if the process has
 * exited.
 */
export function processUse(pid: number): ProcessUse {
  // The second field of the file is the process's name in parentheses. The name may contain spaces,
  // so split after it. `fields` then begins with the third field of the file. User and system time
  // are the fields 14 and 15 of the file, so they are `fields[11]` and `fields[12]`.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  const cpuMs = (Number(fields[11]) + Number(fields[12])) * TICK_MS;
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const anonymousKb = Number(/^RssAnon:\s+(\d+) kB/m.exec(status)?.[1]);
  return { cpuMs, memoryMb: anonymousKb / 1024 };
}
