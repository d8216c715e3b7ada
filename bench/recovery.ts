import type { Bench } from './bench.js';
import { sdkClient, type BenchHouse, type BenchProcess } from './house.js';
import { median, monotonicMs } from './measure.js';

const KILLS = 6;
const KILLS_BY_DEFAULT = 3;
const HEARTBEAT_S = 2;
const DEFAULT_HEARTBEAT_S = 10;
const GRACE_S = 3;
/**
 * Time from the start of a node until its worker is killed, in ms. The step has sent a heartbeat by
 * then.
 */
const INTO_STEP_MS = 700;

const OURS = `goes on, heartbeat timeout ${HEARTBEAT_S} s`;
const ENDED = `has ended, heartbeat timeout ${HEARTBEAT_S} s`;
const DEFAULT = `goes on, heartbeat timeout ${DEFAULT_HEARTBEAT_S} s (default)`;
const DEFAULT_ENDED = `has ended, heartbeat timeout ${DEFAULT_HEARTBEAT_S} s (default)`;

export const recovery: Bench = {
  name: 'recovery',
  question:
    'After SIGKILL of its worker in the middle of a step, with another worker alive, how long until a turn goes on?',

  async run(house, { samples = KILLS }) {
    const url = await house.api();
    const workers = new Map<number, BenchProcess>();
    await Promise.all([join(house, workers), join(house, workers)]);
    const measured: Record<string, number[]> = { [OURS]: [], [ENDED]: [], [DEFAULT]: [], [DEFAULT_ENDED]: [] };
    for (let kill = 0; kill < samples; kill += 1) {
      await killAndWait('sleeper', OURS, ENDED);
      if (kill < Math.min(KILLS_BY_DEFAULT, samples)) await killAndWait('default_sleeper', DEFAULT, DEFAULT_ENDED);
    }

    async function killAndWait(graph: string, goesOn: string, hasEnded: string): Promise<void> {
      const { resumed, ended } = await killInMidStep(url, graph, workers);
      measured[goesOn]?.push(resumed);
      measured[hasEnded]?.push(ended);
      await join(house, workers);
    }

    const ours = measured[OURS] ?? [];
    const byDefault = measured[DEFAULT] ?? [];
    const worst = Math.max(...ours);
    const met = worst <= HEARTBEAT_S + GRACE_S && Math.max(...byDefault) <= DEFAULT_HEARTBEAT_S + GRACE_S;
    return {
      result: {
        name: 'recovery',
        unit: 's',
        ours: worst,
        against: { 'heartbeat timeout': HEARTBEAT_S, 'p50 by default timeout of 10 s': median(byDefault) },
        ratio: worst / HEARTBEAT_S,
        goal: HEARTBEAT_S + GRACE_S,
        met,
        n: samples,
      },
      samples: measured,
      notes: [
        `ours: the slowest; the bound is the heartbeat timeout and ${GRACE_S} s, by default ${DEFAULT_HEARTBEAT_S + GRACE_S} s`,
      ],
    };
  },
};

async function join(house: BenchHouse, workers: Map<number, BenchProcess>): Promise<void> {
  const worker = await house.worker();
  workers.set(worker.pid, worker);
}

interface Attempt {
  attempt: number;
  pid: number;
  at: number;
}

/**
 * Kills a worker with SIGKILL in the middle of a step. `resumed` is the time from the kill until
 * the next attempt has started the node. `ended` is the time from the kill until the client has
 * seen the end of the run. Both are in seconds.
 */
async function killInMidStep(
  apiUrl: string,
  graph: string,
  workers: Map<number, BenchProcess>,
): Promise<{ resumed: number; ended: number }> {
  const client = sdkClient(apiUrl);
  const { thread_id: threadId } = await client.threads.create();
  const options = { input: { text: 'hello' }, streamMode: 'custom' as const };
  let killedAt: number | undefined;
  let resumed: number | undefined;
  for await (const { event, data } of client.runs.stream(threadId, graph, options)) {
    if (event !== 'custom') continue;
    const { attempt, pid, at } = data as Attempt;
    if (attempt > 1 && killedAt !== undefined) resumed ??= (at - killedAt) / 1000;
    if (attempt !== 1) continue;
    await new Promise((resolve) => setTimeout(resolve, INTO_STEP_MS));
    killedAt = monotonicMs();
    void workers.get(pid)?.kill('SIGKILL');
    workers.delete(pid);
  }
  if (killedAt === undefined || resumed === undefined)
    throw new Error(`the run of ${graph} ended without another attempt`);
  return { resumed, ended: (monotonicMs() - killedAt) / 1000 };
}
