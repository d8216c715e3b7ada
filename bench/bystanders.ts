import { join } from 'node:path';
import { packageRoot } from '../cli/index.js';
import { ZOO_LIMITS, type Animal } from '../test/zoo/animal.js';
import { ANIMALS } from '../test/zoo/animals.js';
import { Bystanders, pause, type Turn } from '../test/zoo/bystanders.js';
import { Ledger } from '../test/zoo/ledger.js';
import { visit } from '../test/zoo/visit.js';
import type { Bench } from './bench.js';
import { sdkClient, type BenchHouse } from './house.js';
import { percentile } from './measure.js';

/**
 * Number of turns of the bystanders while an animal runs, and while none runs. The 99th percentile of
 * fewer turns is nearly their highest.
 */
const TURNS = 150;
const WARMUP_TURNS = 40;
const GOAL = 2;
const ALONE = 'alone';
const P99 = 99;
const VISIT_MS = 240_000;

/** One animal of each kind. */
const SHOWN = [
  'throws error',
  'block_quick spawn 4 s',
  'block_quick loop 4 s',
  'block regex 12 s',
  'hang deaf',
  'hang loop',
  'limit deaf',
  'crash spawn',
  'crash exit-1',
  'crash heap',
  'leak buffers 60 MB, 12 turns',
  'leak strings 1500 MB, 1 turns',
  'shout lines 100 MB',
  'state large-string',
];

/** When an animal ran, in ms of `performance.now()`. */
interface Visited {
  begun: number;
  ended: number;
}

export const bystanders: Bench = {
  name: 'bystanders',
  question: 'How long is a turn of 20 conversations while a graph beside them misbehaves?',

  async run(house, { samples: turns = TURNS }) {
    const ledger = new Ledger(join(house.dataDir, 'ledger'));
    const client = sdkClient(await startZoo(house, ledger));
    const conversations = new Bystanders(client, ledger);
    conversations.start();
    house.onStop(() => conversations.stop());
    await conversations.next(Math.min(WARMUP_TURNS, turns));

    const alone: number[] = [];
    const beside: Record<string, number[]> = {};
    for (const animal of SHOWN.map(named)) {
      alone.push(...(await conversations.next(turns)).map(({ ms }) => ms));
      const from = conversations.turns.length;
      const visits: Visited[] = [];
      let disturbed: Turn[] = [];
      // The animal is one more conversation, so it pauses as the others do.
      while (disturbed.length < turns) {
        const begun = performance.now();
        await visit(client, animal, ledger, AbortSignal.timeout(VISIT_MS));
        visits.push({ begun, ended: performance.now() });
        await pause();
        disturbed = conversations.turns.slice(from).filter((turn) => visits.some((one) => overlaps(turn, one)));
      }
      beside[animal.name] = disturbed.map(({ ms }) => ms);
      house.say(`${animal.name}: ${disturbed.length} turns`);
    }
    await conversations.stop();
    const faults = conversations.faults();
    if (faults.length > 0) throw new Error(`bystanders were hurt: ${faults.slice(0, 5).join('; ')}`);

    const p99Alone = percentile(alone, P99);
    const ratios = Object.entries(beside).map(([name, times]) => ({ name, ratio: percentile(times, P99) / p99Alone }));
    const worst = ratios.reduce((one, other) => (other.ratio > one.ratio ? other : one));
    return {
      result: {
        name: 'bystanders',
        unit: 'ms',
        ours: worst.ratio * p99Alone,
        against: { [ALONE]: p99Alone },
        ratio: worst.ratio,
        goal: GOAL,
        met: worst.ratio <= GOAL,
        n: Math.min(...Object.values(beside).map(({ length }) => length)),
      },
      samples: { [ALONE]: alone, ...beside },
      notes: [
        `ratio: p99 beside ${worst.name}, the worst, to p99 alone`,
        ...ratios.map(({ name, ratio }) => `${ratio.toFixed(2)}  ${name}`),
      ],
    };
  },
};

function overlaps({ begun, ms }: Turn, visited: Visited): boolean {
  return begun < visited.ended && begun + ms > visited.begun;
}

function named(name: string): Animal {
  const animal = ANIMALS.find((one) => one.name === name);
  if (animal === undefined) throw new Error(`the zoo has no animal ${name}`);
  return animal;
}

/** Starts a worker and an API process for the zoo's project. Returns the URL of the API. */
async function startZoo(house: BenchHouse, ledger: Ledger): Promise<string> {
  const root = packageRoot();
  const args = [
    ...['--config', join(root, 'test', 'zoo', 'project', 'langgraph.json')],
    ...['--task-queue', house.name, '--database', house.name],
    ...['--temporal-address', house.temporalAddress, '--mongodb-uri', house.mongodbUri],
  ];
  const script = join(root, 'bin', 'colloquy.mjs');
  const environment = { ...ZOO_LIMITS, ZOO_LEDGER: ledger.path };
  await house.fork('worker', script, ['worker', ...args], environment);
  const { details } = await house.fork('api', script, ['api', ...args, '--port', '0'], environment);
  return String(details['url']);
}
