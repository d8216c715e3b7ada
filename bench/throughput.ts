import { startBare } from './bare.js';
import type { Bench } from './bench.js';
import { sdkClient } from './house.js';
import { startInProcess } from './in-process.js';
import { interleave, median, rate } from './measure.js';
import { PEER, startPeer } from './peer.js';
import { one } from './project/graphs.js';

const WINDOWS = 5;
export const WINDOW_MS = 4_000;
const WARMUP = 1;
export const CLIENTS = 32;
const GOAL = 0.6;
const INPUT = { text: 'hello' };

const OURS = 'ours';
const BARE = 'bare Temporal: update and 1 activity';
const GRAPH = 'graph in-process on the same saver';

export const throughput: Bench = {
  name: 'throughput',
  question: `How many runs a second do ${CLIENTS} clients get, each making a thread and waiting for a run of a one-node graph?`,

  async run(house, { samples = WINDOWS }) {
    await house.worker();
    const ours = sdkClient(await house.api());
    const peer = sdkClient(await startPeer(house));
    const bare = await startBare(house);
    const invoke = (await startInProcess(house)).turns(one);
    const window = (once: () => Promise<unknown>) => () => rate(CLIENTS, WINDOW_MS, once);
    const measured = await interleave(
      [
        { name: OURS, once: window(() => createAndWait(ours)) },
        { name: BARE, once: window(() => bare.firstTurn(1)) },
        { name: GRAPH, once: window(() => invoke(INPUT)) },
        { name: PEER, once: window(() => createAndWait(peer)) },
      ],
      { rounds: samples, warmup: Math.min(WARMUP, samples) },
    );
    const typical = (name: string) => median(measured[name] ?? []);
    const ratio = typical(OURS) / Math.min(typical(BARE), typical(GRAPH));
    return {
      result: {
        name: 'throughput',
        unit: 'runs/s',
        ours: typical(OURS),
        against: { [BARE]: typical(BARE), [GRAPH]: typical(GRAPH), [PEER]: typical(PEER) },
        ratio,
        goal: GOAL,
        met: ratio >= GOAL && typical(OURS) > typical(PEER),
        n: samples,
      },
      samples: measured,
      notes: [`windows of ${WINDOW_MS / 1000} s; ratio: to the lower of bare Temporal and the graph in-process`],
    };
  },
};

export async function createAndWait(client: ReturnType<typeof sdkClient>): Promise<void> {
  const { thread_id: threadId } = await client.threads.create();
  await client.runs.wait(threadId, 'one', { input: INPUT });
}
