import { resolve } from 'node:path';
import { packageRoot } from '../cli/index.js';
import type { Bench } from './bench.js';
import { firstTokenOf } from './first-token.js';
import { conversation, nextTurn } from './history.js';
import { sdkClient } from './house.js';
import { interleave, median, rate, type Samples } from './measure.js';
import { CLIENTS, WINDOW_MS, createAndWait } from './throughput.js';
import { overHttp, renewed } from './turn.js';

const ROUNDS = 100;
const HISTORY_TURNS = 1_000;
const GOAL = 1.05;

type Sample = () => Promise<number | void>;

/** A measurement of one API. Lower is better. */
interface Measure {
  name: string;
  /** Number of rounds of this measure, in percent of the bench's option `samples`. */
  share: number;
  prepare: (apiUrl: string) => Promise<Sample>;
}

const MEASURES: Measure[] = [
  { name: 'turn', share: 100, prepare: async (url) => renewed(() => overHttp(sdkClient(url))) },
  {
    name: `turn after ${HISTORY_TURNS} turns`,
    share: 50,
    async prepare(url) {
      const client = sdkClient(url);
      const threadId = await conversation(client, HISTORY_TURNS);
      return () => nextTurn(client, threadId, 'updates');
    },
  },
  { name: 'first token', share: 50, prepare: async (url) => () => firstTokenOf(url, ['messages-tuple', 'values']) },
  {
    name: `a run of ${CLIENTS} clients`,
    share: 10,
    async prepare(url) {
      const client = sdkClient(url);
      return async () => 1_000 / (await rate(CLIENTS, WINDOW_MS, () => createAndWait(client)));
    },
  },
];

/**
 * Compares this checkout of Colloquy with another one, on the same servers. Two checkouts that are
 * measured in separate benches cannot be compared, because the speed of a machine changes by a
 * tenth within minutes.
 */
export const versus: Bench = {
  name: 'versus',
  question: 'Is this checkout slower than another one (`--tree`)?',

  async run(house, { samples = ROUNDS, tree = packageRoot() }) {
    const environment = { COLLOQUY_JOIN_QUICK_STEPS_MS: '0' };
    const ours = await house.tree(packageRoot(), 'this', environment);
    const other = await house.tree(resolve(tree), 'other', environment);
    const all: Samples = {};
    const ratios: Record<string, number> = {};
    for (const { name, share, prepare } of MEASURES) {
      const names = [`${name}, this`, `${name}, other`] as const;
      house.say(`measuring: ${name}`);
      const rounds = Math.ceil((samples * share) / 100);
      const measured = await interleave(
        [
          { name: names[0], once: await prepare(ours) },
          { name: names[1], once: await prepare(other) },
        ],
        { rounds, warmup: Math.ceil(rounds / 10) },
      );
      Object.assign(all, measured);
      ratios[name] = pairRatio(measured[names[0]] ?? [], measured[names[1]] ?? []);
    }
    const typical = (name: string) => median(all[name] ?? []);
    const worst = Math.max(...Object.values(ratios));
    const shown = Object.entries(ratios).map(([name, ratio]) => `${name} ${ratio.toFixed(3)}`);
    return {
      result: {
        name: 'versus',
        unit: 'ms',
        ours: typical('turn, this'),
        against: Object.fromEntries(Object.keys(all).map((name) => [name, typical(name)])),
        ratio: worst,
        goal: GOAL,
        met: worst <= GOAL,
        n: samples,
      },
      samples: all,
      notes: [`this to the other, median of the pairs: ${shown.join(', ')}`],
    };
  },
};

/**
 * Returns the median of the ratios `ours / others`. Each ratio is of two samples of the same round,
 * because these were taken one right after the other.
 */
function pairRatio(ours: readonly number[], others: readonly number[]): number {
  return median(ours.map((value, index) => value / (others[index] ?? value)));
}
