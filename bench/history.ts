import { randomUUID } from 'node:crypto';
import { MongoDBSaver } from '@langchain/langgraph-checkpoint-mongodb';
import { MongoClient } from 'mongodb';
import type { Bench } from './bench.js';
import { countWire, type DatabaseWire } from './database-wire.js';
import { sdkClient, type BenchHouse } from './house.js';
import { interleave, median } from './measure.js';
import { chat } from './project/graphs.js';

const TURNS = [10, 100, 1_000, 5_000];
const ROUNDS = 20;
const WARMUP = 3;
const COUNTED_TURNS = 25;
const GOAL = 1.2;
const BYTES_GOAL = 1.1;
/**
 * Maximum number of messages in the input of one run, when the bench creates a conversation of a
 * given length.
 */
const PORTION = 2_000;
/**
 * Number of messages of the large conversation. Each has `LARGE_CHARACTERS` characters, so the
 * conversation has over 50 MB.
 */
const LARGE_MESSAGES = 14;
const LARGE_CHARACTERS = 4_000_000;

type Client = ReturnType<typeof sdkClient>;

const OFFICIAL_TURNS = [10, 100, 1_000];

const officialArmOf = (turns: number) => `in-process on LangGraph's Mongo saver after ${turns} turns`;
const armOf = (turns: number) => `turn after ${turns} turns`;
const wholeArmOf = (turns: number) => `${armOf(turns)}, state streamed`;

export const history: Bench = {
  name: 'history',
  question: 'How much dearer does a turn of an agent that keeps its messages get, the longer its conversation is?',

  async run(house, { samples = ROUNDS }) {
    const wire = await countWire(house);
    await house.worker(wire.uri);
    const client = sdkClient(await house.api({}, wire.uri));
    const threads = new Map<number, string>();
    for (const turns of TURNS) {
      house.say(`making a conversation of ${turns} turns`);
      threads.set(turns, await conversation(client, turns));
    }
    const arms = [...threads].flatMap(([turns, threadId]) => [
      { name: armOf(turns), once: () => nextTurn(client, threadId, 'updates') },
      { name: wholeArmOf(turns), once: () => nextTurn(client, threadId, 'values') },
    ]);
    arms.push(...(await onOfficialSaver(house, wire.uri)));
    const measured = await interleave(arms, { rounds: samples, warmup: Math.min(WARMUP, samples) });

    const notes: string[] = [];
    const written = new Map<string, number>();
    for (const { name, once } of arms) {
      const { commands, writtenBytes, readBytes } = await counted(wire, once);
      written.set(name, writtenBytes);
      notes.push(`${name}: ${commands.toFixed(1)} round trips, ${kb(writtenBytes)} written, ${kb(readBytes)} read`);
    }
    notes.push(await large(client));
    const p50 = (name: string) => median(measured[name] ?? []);
    const ratio = p50(armOf(1_000)) / p50(armOf(10));
    const bytesRatio = (written.get(armOf(1_000)) ?? 0) / (written.get(armOf(10)) ?? 1);
    notes.push(`the 1,000th turn to the 10th: ${ratio.toFixed(2)} in time, ${bytesRatio.toFixed(2)} in bytes written`);
    return {
      result: {
        name: 'history',
        unit: 'ms',
        ours: p50(armOf(1_000)),
        against: Object.fromEntries(arms.map(({ name }) => [name, p50(name)])),
        ratio,
        goal: GOAL,
        met: ratio <= GOAL && bytesRatio <= BYTES_GOAL,
        n: samples,
      },
      samples: measured,
      notes,
    };
  },
};

/**
 * Returns arms (variants to compare) that run only the graph, in this process, with LangGraph's own
 * checkpoint saver for MongoDB.
 */
async function onOfficialSaver(house: BenchHouse, uri: string): Promise<{ name: string; once: () => Promise<void> }[]> {
  const mongo = await MongoClient.connect(uri);
  house.onStop(() => mongo.close());
  // The package of this saver has its own copy of the MongoDB driver, with other types than ours.
  const checkpointer = new MongoDBSaver({ client: mongo as never, dbName: `${house.name}-official` });
  const graph = chat.compile({ checkpointer });
  const arms: { name: string; once: () => Promise<void> }[] = [];
  for (const turns of OFFICIAL_TURNS) {
    const options = { configurable: { thread_id: randomUUID() }, durability: 'sync' as const };
    await graph.invoke({ messages: exchange(turns * 2) }, options);
    const once = async () => void (await graph.invoke({ messages: exchange(1) }, options));
    arms.push({ name: officialArmOf(turns), once });
  }
  return arms;
}

/** Returns `count` messages, alternately of a user and of an assistant. */
function exchange(count: number): { role: 'user' | 'assistant'; content: string }[] {
  return Array.from({ length: count }, (_, n) =>
    n % 2 === 0 ? { role: 'user', content: QUESTION } : { role: 'assistant', content: `${QUESTION} ${QUESTION}` },
  );
}

export async function conversation(client: Client, turns: number): Promise<string> {
  const { thread_id: threadId } = await client.threads.create();
  for (let count = 0; count < turns * 2; count += PORTION) {
    const messages = exchange(Math.min(PORTION, turns * 2 - count));
    await say(client, threadId, messages, 'updates');
  }
  return threadId;
}

const QUESTION = 'What did we say of this a while ago, and does it still hold for the second of the two cases? ';

export function nextTurn(client: Client, threadId: string, mode: 'updates' | 'values'): Promise<void> {
  return say(client, threadId, exchange(1), mode);
}

async function say(client: Client, threadId: string, messages: object[], streamMode: 'updates' | 'values') {
  let answers = 0;
  for await (const { event } of client.runs.stream(threadId, 'chat', { input: { messages }, streamMode })) {
    if (event === 'error') throw new Error(`a turn of thread ${threadId} failed`);
    if (event === streamMode) answers += 1;
  }
  if (answers === 0) throw new Error(`a turn of thread ${threadId} streamed no event`);
}

async function counted(wire: DatabaseWire, once: () => Promise<unknown>) {
  wire.take();
  for (let n = 0; n < COUNTED_TURNS; n += 1) await once();
  const { commands, writtenBytes, readBytes } = wire.take();
  return {
    commands: commands / COUNTED_TURNS,
    writtenBytes: writtenBytes / COUNTED_TURNS,
    readBytes: readBytes / COUNTED_TURNS,
  };
}

/**
 * Creates a conversation of over 50 MB and measures its next turn. Returns a sentence for the
 * report.
 */
async function large(client: Client): Promise<string> {
  const { thread_id: threadId } = await client.threads.create();
  const text = 'x'.repeat(LARGE_CHARACTERS);
  for (let n = 0; n < LARGE_MESSAGES; n += 1) await say(client, threadId, [{ role: 'user', content: text }], 'updates');
  const begun = performance.now();
  await nextTurn(client, threadId, 'updates');
  const mb = (LARGE_MESSAGES * LARGE_CHARACTERS) / 1e6;
  return `a conversation of ${mb.toFixed(0)} MB goes on: a turn takes ${(performance.now() - begun).toFixed(0)} ms`;
}

function kb(size: number): string {
  return `${(size / 1000).toFixed(1)} kB`;
}
