import type { Bench } from './bench.js';
import { sdkClient, type BenchHouse } from './house.js';
import { median } from './measure.js';
import { processUse } from './process-use.js';

const WAKES = 100;
/**
 * The bench begins this many conversations for each one that it wakes. It wakes a conversation with
 * a second turn. All other conversations have only their first turn.
 */
const CONVERSATIONS_PER_WAKE = 100;
const CLIENTS = 16;
const TOLD_EVERY = 1_000;
const GOAL = 2;
const INPUT = { text: 'hello' };

const COLD = 'turn of a conversation at rest';
const AWAKE = 'turn of one that is awake';

export const idle: Bench = {
  name: 'idle',
  question: `What do conversations at rest cost (${WAKES * CONVERSATIONS_PER_WAKE} if no other number is asked for), and how long does the turn take that wakes one?`,

  async run(house, { samples = WAKES }) {
    await house.worker();
    const client = sdkClient(await house.api());
    const turn = (threadId: string) => client.runs.wait(threadId, 'one', { input: INPUT });
    const begin = async () => {
      const { thread_id: threadId } = await client.threads.create();
      await turn(threadId);
      return threadId;
    };
    const awake = await begin();
    const one = memory(house);
    const threads: string[] = [];
    const total = samples * CONVERSATIONS_PER_WAKE;
    const notes = [`1 conversation: ${one}`];
    let begun = performance.now();
    let done = 0;
    const beginSome = async () => {
      while (threads.length < total) {
        const index = threads.push('') - 1;
        threads[index] = await begin();
        done += 1;
        if (done % TOLD_EVERY !== 0) continue;
        const rate = (TOLD_EVERY * 1000) / (performance.now() - begun);
        begun = performance.now();
        notes.push(
          `${done} conversations, the last ${TOLD_EVERY} begun at ${rate.toFixed(1)} a second: ${memory(house)}`,
        );
        house.say(notes.at(-1) ?? '');
      }
    };
    await Promise.all(Array.from({ length: CLIENTS }, beginSome));
    notes.push(`${total} conversations: ${memory(house)}`);

    const measured: Record<string, number[]> = { [COLD]: [], [AWAKE]: [] };
    // Workers evict the oldest conversations from their cache first. So no worker has the first
    // conversations in its cache any more. A conversation at rest is one that no worker has cached.
    for (const threadId of threads.slice(0, samples)) {
      measured[COLD]?.push(await timed(() => turn(threadId)));
      await turn(awake);
      measured[AWAKE]?.push(await timed(() => turn(awake)));
    }
    notes.push(`${samples} of them awake: ${memory(house)}`, 'ratio: to the turn of one that is awake');
    const p50 = (name: string) => median(measured[name] ?? []);
    const ratio = p50(COLD) / p50(AWAKE);
    return {
      result: {
        name: 'idle',
        unit: 'ms',
        ours: p50(COLD),
        against: { [AWAKE]: p50(AWAKE) },
        ratio,
        goal: GOAL,
        met: ratio <= GOAL,
        n: samples,
      },
      samples: measured,
      notes,
    };
  },
};

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

/** Formats the memory of every process, in MB. */
function memory(house: BenchHouse): string {
  return [...house.pids].map(([name, pid]) => `${name} ${processUse(pid).memoryMb.toFixed(0)} MB`).join(', ');
}
