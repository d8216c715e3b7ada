/**
 * Compares things in alternating samples, so that other load on the machine affects all of them.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/** One of the compared things. */
export interface Arm {
  name: string;
  /** Takes one sample. Returns its value, or nothing if the elapsed time in ms is the value. */
  once: () => Promise<number | void>;
}

export type Samples = Record<string, number[]>;

/**
 * Pause after a sample, so that its remaining work (a workflow task, a write) does not affect the
 * next one.
 */
const SETTLE_MS = 15;

/**
 * Takes `rounds` samples of every arm in alternation. Each round starts with another arm. The first
 * `warmup` rounds do not count.
 */
export async function interleave(
  arms: Arm[],
  { rounds, warmup }: { rounds: number; warmup: number },
): Promise<Samples> {
  const samples: Samples = Object.fromEntries(arms.map(({ name }) => [name, []]));
  for (let round = -warmup; round < rounds; round += 1) {
    for (let turn = 0; turn < arms.length; turn += 1) {
      const arm = arms[(turn + round + warmup) % arms.length] as Arm;
      const value = await sample(arm);
      if (round >= 0) samples[arm.name]?.push(value);
      await sleep(SETTLE_MS);
    }
  }
  return samples;
}

async function sample({ name, once }: Arm): Promise<number> {
  const begun = performance.now();
  try {
    return (await once()) ?? performance.now() - begun;
  } catch (error) {
    throw new Error(`${name}: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * Returns how often per second `clients` concurrent clients complete `once`. The window starts
 * after as many completions as there are clients, and ends while all clients still work. Work that
 * starts before the window compensates for work that ends after it.
 */
export async function rate(clients: number, windowMs: number, once: () => Promise<unknown>): Promise<number> {
  let done = 0;
  let opened = Infinity;
  const isOver = () => performance.now() - opened > windowMs;
  const client = async () => {
    while (!isOver()) {
      await once();
      if (isOver()) return;
      done += 1;
      if (done === clients) opened = performance.now();
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  return (done - clients) / (windowMs / 1000);
}

/**
 * Returns the machine's monotonic clock in ms. All processes share it, and V8 uses it in profiles.
 */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Returns a percentile by the nearest-rank method. Errors: without values. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
  if (value === undefined) throw new Error('a percentile of no values');
  return value;
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}
