import { startBare } from './bare.js';
import type { Bench } from './bench.js';
import { sdkClient } from './house.js';
import { interleave, median } from './measure.js';
import { PEER, startPeer } from './peer.js';

const ROUNDS = 60;
const WARMUP = 5;
const GOAL = 0.1;
const OURS = 'ours';
const BARE = 'bare Temporal: update and 1 activity';

export const wait: Bench = {
  name: 'wait',
  question: 'How long does `runs.wait` of a one-node graph take on a new thread?',

  async run(house, { samples = ROUNDS }) {
    await house.worker();
    const ours = await house.api();
    const peer = await startPeer(house);
    const bare = await startBare(house);
    const measured = await interleave(
      [
        { name: OURS, once: () => waitOnce(ours) },
        { name: PEER, once: () => waitOnce(peer) },
        { name: BARE, once: () => bare.firstTurn(1) },
      ],
      { rounds: samples, warmup: Math.min(WARMUP, samples) },
    );
    const p50 = (name: string) => median(measured[name] ?? []);
    const ratio = p50(OURS) / p50(PEER);
    return {
      result: {
        name: 'wait',
        unit: 'ms',
        ours: p50(OURS),
        against: { [PEER]: p50(PEER), [BARE]: p50(BARE) },
        ratio,
        goal: GOAL,
        met: ratio <= GOAL,
        n: samples,
      },
      samples: measured,
      notes: [`ratio: to ${PEER}`],
    };
  },
};

async function waitOnce(apiUrl: string): Promise<number> {
  const client = sdkClient(apiUrl);
  const { thread_id: threadId } = await client.threads.create();
  const begun = performance.now();
  await client.runs.wait(threadId, 'one', { input: { text: 'hello' } });
  return performance.now() - begun;
}
