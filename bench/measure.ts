/** Measuring two things side by side: in turns, so that whatever else the machine does meets both. */
import { setTimeout as sleep } from 'node:timers/promises';

/** One of the things that are compared. */
export interface Arm {
  name: string;
  /** One sample. Answers its value where it measures by itself; else the time it took counts, in ms. */
  once: () => Promise<number | void>;
}

export type Samples = Record<string, number[]>;

/** What one arm leaves behind (a workflow task, a write) is over before the next begins. */
const SETTLE_MS = 15;

/** Takes `rounds` samples of every arm in turns, the first arm another one each round, after `warmup` rounds that do not count. */
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
 * How often a second `clients` at once get `once` done, over a window that begins when as many are done as there are clients, and at whose end all
 * of them are still at it: what is begun before it and done in it stands for what is begun in it and done after it.
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

/** The machine's monotonic clock, which all processes share and V8 stamps its profiles with; in ms. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** By the nearest rank. Errors: without values. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
  if (value === undefined) throw new Error('a percentile of no values');
  return value;
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}
