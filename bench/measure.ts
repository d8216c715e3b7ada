/**
 * Measures several variants in rounds. Each round takes one sample of each variant. So other load
 * on the machine affects all variants equally.
 */
import { setTimeout as sleep } from 'node:timers/promises';

/** One of the variants that a bench compares. */
export interface Arm {
  name: string;
  /** Takes one sample. Returns its value, or nothing if the elapsed time in ms is the value. */
  once: () => Promise<number | void>;
}

export type Samples = Record<string, number[]>;

/**
 * Pause after a sample, in ms. Work that the sample leaves behind, such as a workflow task or a
 * write, then does not slow the next sample.
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
 * Measures how many calls per second `clients` concurrent clients complete. Each client calls
 * `once` again and again. The measurement begins when as many calls are complete as there are
 * clients, and lasts `windowMs`. A call counts if it ends during the measurement. This includes
 * calls that began before the measurement. Calls that end after the measurement do not count. So on
 * average the surplus at the beginning equals the loss at the end.
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
 * Returns the time of the machine's monotonic clock, in ms. All processes share this clock, and
 * V8's CPU profiles use it.
 */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** Returns a percentile by the nearest-rank method. Errors: if there are no values. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const value = sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)];
  if (value === undefined) throw new Error('a percentile of no values');
  return value;
}

export function median(values: readonly number[]): number {
  return percentile(values, 50);
}
