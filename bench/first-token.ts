import { once } from 'node:events';
import type { StreamMode } from '@langchain/langgraph-sdk';
import type { Bench } from './bench.js';
import { sdkClient, type BenchHouse } from './house.js';
import { openHouseStores } from './in-process.js';
import { interleave, median, monotonicMs } from './measure.js';
import { PEER, startPeer } from './peer.js';
import { TOKENS, speaker } from './project/graphs.js';

const ROUNDS = 60;
const WARMUP = 5;
const GOAL_MS = 15;
const INPUT = { messages: [{ role: 'user', content: 'what time is it?' }] };

const OURS = 'ours, messages and values';
const ALONE = 'ours, messages alone';
const LATER = 'ours, later tokens';
const IN_PROCESS = 'in-process stream';
const HINT = 'insert, seen through a change stream';

export const firstToken: Bench = {
  name: 'first-token',
  question: 'How long after a node emits its first token does the client have it?',

  async run(house, { samples = ROUNDS }) {
    await house.worker();
    const ours = await house.api();
    const peer = await startPeer(house);
    const later: number[] = [];
    const measured = await interleave(
      [
        { name: OURS, once: () => firstTokenOf(ours, ['messages-tuple', 'values'], later) },
        { name: ALONE, once: () => firstTokenOf(ours, ['messages-tuple']) },
        { name: IN_PROCESS, once: firstTokenInProcess },
        { name: HINT, once: await insertAndHear(house) },
        { name: PEER, once: () => firstTokenOf(peer, ['messages-tuple', 'values']) },
      ],
      { rounds: samples, warmup: Math.min(WARMUP, samples) },
    );
    const p50 = (name: string) => median(measured[name] ?? []);
    return {
      result: {
        name: 'first-token',
        unit: 'ms',
        ours: p50(OURS),
        against: Object.fromEntries([ALONE, HINT, IN_PROCESS, PEER].map((name) => [name, p50(name)])),
        ratio: p50(OURS) / p50(HINT),
        goal: GOAL_MS,
        met: p50(OURS) <= GOAL_MS,
        n: samples,
      },
      samples: { ...measured, [LATER]: later },
      notes: ['ratio: to an insert and its change event, the least that a log in this database can take'],
    };
  },
};

export async function firstTokenOf(apiUrl: string, streamMode: StreamMode[], later: number[] = []): Promise<number> {
  const client = sdkClient(apiUrl);
  const { thread_id: threadId } = await client.threads.create();
  const delays: number[] = [];
  for await (const { event, data } of client.runs.stream(threadId, 'speaker', { input: INPUT, streamMode })) {
    if (event === 'messages') note(delays, (data as unknown as [{ content: string }])[0].content);
  }
  return report(delays, later);
}

async function firstTokenInProcess(): Promise<number> {
  const delays: number[] = [];
  for await (const [message] of await speaker.compile().stream(INPUT, { streamMode: 'messages' })) {
    note(delays, message.text);
  }
  return report(delays, []);
}

function note(delays: number[], content: string): void {
  // The stream may also contain the complete message, after its tokens. Count only the tokens.
  if (/^\d+(\.\d+)? $/.test(content)) delays.push(monotonicMs() - Number(content));
}

function report([first, ...others]: number[], later: number[]): number {
  if (first === undefined || others.length !== TOKENS - 1)
    throw new Error(`${others.length} tokens came after the first`);
  later.push(...others);
  return first;
}

async function insertAndHear(house: BenchHouse): Promise<() => Promise<void>> {
  const { db } = await openHouseStores(house, `${house.name}-hint`);
  const collection = db.collection('hints');
  await collection.insertOne({});
  const changes = collection.watch();
  house.onStop(() => changes.close());
  const opened = once(changes, 'resumeTokenChanged');
  changes.on('change', () => {});
  await opened;
  return async () => {
    const heard = once(changes, 'change');
    await collection.insertOne({});
    await heard;
  };
}
