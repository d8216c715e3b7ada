import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** One execution of a node, or a mark that it made while it ran. */
export interface Entry {
  run: string;
  node: string;
  attempt: number;
  at: number;
  pid: number;
}

const POLL_MS = 20;

/** Marks that nodes make beside their executions. */
export const MARKS: readonly string[] = ['tick', 'heard', 'child'];

/** The file in which nodes of the zoo record their executions (`project/ledger.ts` writes it). */
export class Ledger {
  constructor(readonly path: string) {}

  /** Returns the entries of the given runs, or of all runs, in the order in which they were made. */
  read(runs?: readonly string[]): Entry[] {
    if (!existsSync(this.path)) return [];
    const lines = readFileSync(this.path, 'utf8')
      .split('\n')
      .filter((line) => line !== '');
    const entries = lines.map((line) => {
      const [run = '', node = '', attempt, at, pid] = line.split(' ');
      return { run, node, attempt: Number(attempt), at: Number(at), pid: Number(pid) };
    });
    return runs === undefined ? entries : entries.filter(({ run }) => runs.includes(run));
  }

  /** Resolves when a node of the run has recorded something. */
  async started(run: string, signal: AbortSignal): Promise<void> {
    while (this.read([run]).length === 0) await sleep(POLL_MS, undefined, { signal });
  }
}

/** Counts executions by node. */
export function executions(entries: readonly Entry[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { node } of entries) {
    if (!MARKS.includes(node)) counts[node] = (counts[node] ?? 0) + 1;
  }
  return counts;
}

/** Returns the pairs of attempts of which the later one began before the earlier one had stopped. */
export function overlaps(entries: readonly Entry[]): string[] {
  const ticks = entries.filter(({ node }) => node === 'tick');
  const attempts = [...new Set(ticks.map(({ attempt }) => attempt))].sort((a, b) => a - b);
  const times = (attempt: number) => ticks.filter((tick) => tick.attempt === attempt).map(({ at }) => at);
  return attempts
    .slice(1)
    .map((later, index) => [attempts[index] ?? 0, later] as const)
    .filter(([earlier, later]) => Math.max(...times(earlier)) > Math.min(...times(later)))
    .map(([earlier, later]) => `attempt ${later} began while attempt ${earlier} still worked`);
}

/** Returns whether the process runs. A process that has ended may still be listed, as a zombie. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = `/proc/${pid}/stat`;
  if (!existsSync('/proc/self/stat')) return true;
  try {
    const text = readFileSync(stat, 'utf8');
    return text.slice(text.lastIndexOf(')') + 2)[0] !== 'Z';
  } catch {
    return false;
  }
}
