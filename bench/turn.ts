import { randomUUID } from 'node:crypto';
import { Client as TemporalClient, Connection, type WorkflowHandle } from '@temporalio/client';
import { createConversations } from '../conversations/temporal-conversations.js';
import { CONTROL_EVENTS, DEFAULT_TENANT, conversationId, type Caller } from '../protocol/index.js';
import { systemAssistantId } from '../threads/index.js';
import { DEFAULT_SETTINGS } from '../workflows/contract.js';
import { startBare, type BareTemporal } from './bare.js';
import type { Bench } from './bench.js';
import { inMemory, openHouseStores, startInProcess, type GraphsInProcess } from './in-process.js';
import { sdkClient, type BenchHouse } from './house.js';
import { interleave, median, monotonicMs } from './measure.js';
import { cpuTimes, formatUse } from './process-use.js';
import type { ProfiledTurns } from './profile-shares.js';
import { three } from './project/graphs.js';

const ROUNDS = 150;
const WARMUP = 10;
/**
 * Number of turns (runs of the graph) on one thread. Then the next thread begins, so that workflow
 * histories stay short.
 */
const TURNS = 50;
const STEPS = 3;
const COUNTED_TURNS = 20;
const PROFILED_TURNS = 100;
const GOAL = 1.3;
const INPUT = { text: 'hello' };

const OURS = 'ours, one activity a step';
const JOINED = 'ours, quick steps joined';
const BELOW = 'ours without HTTP, one activity a step';
const BARE = 'bare Temporal: update and 3 activities';
const GRAPH = 'graph in-process on the same saver';
const LANGGRAPH = 'graph in-process, state in memory';

export const turn: Bench = {
  name: 'turn',
  question: 'How long is a turn of a 3-step graph, from sending the run until the client knows that it has ended?',

  async run(house, { samples = ROUNDS }) {
    await house.worker();
    const single = { COLLOQUY_JOIN_QUICK_STEPS_MS: '0' };
    const [stepwise, joined] = [sdkClient(await house.api(single)), sdkClient(await house.api())];
    const bare = await startBare(house);
    const inProcess = await startInProcess(house);
    const below = await startBelowHttp(house);
    const measured = await interleave(
      [
        { name: OURS, once: renewed(() => overHttp(stepwise)) },
        { name: JOINED, once: renewed(() => overHttp(joined)) },
        { name: BELOW, once: renewed(below) },
        { name: BARE, once: renewed(async () => (await bare.conversation(STEPS)).turn) },
        { name: GRAPH, once: renewed(() => graphTurns(inProcess)) },
        { name: LANGGRAPH, once: renewed(() => graphTurns(inMemory())) },
      ],
      { rounds: samples, warmup: Math.min(WARMUP, samples) },
    );
    const { profiled, use } = await profiledTurns(house, stepwise);
    const events = await historyEvents(house, { [OURS]: stepwise, [JOINED]: joined }, bare);
    const p50 = (name: string) => median(measured[name] ?? []);
    const floor = p50(BARE) + p50(GRAPH);
    const ratios = [p50(OURS) / floor, p50(JOINED) / floor] as const;
    return {
      result: {
        name: 'turn',
        unit: 'ms',
        ours: p50(OURS),
        against: Object.fromEntries([BARE, GRAPH, LANGGRAPH, JOINED, BELOW].map((name) => [name, p50(name)])),
        ratio: ratios[0],
        goal: GOAL,
        met: Math.max(...ratios) <= GOAL,
        n: samples,
      },
      samples: measured,
      notes: [
        `of the sum ${floor.toFixed(1)} ms: ${OURS} ${ratios[0].toFixed(2)}, ${JOINED} ${ratios[1].toFixed(2)}`,
        `history events a turn: ${events}`,
        `CPU of a turn, one activity a step, in ms: ${use}`,
      ],
      profiled,
    };
  },
};

type TakeTurn = () => Promise<unknown>;

/**
 * Returns a function that runs one turn and returns its time in ms. After every {@link TURNS} turns
 * it calls `begin` for a new conversation. `begin` also runs the first turn, which creates the
 * thread and the workflow, so that this turn is not measured.
 */
export function renewed(begin: () => Promise<TakeTurn>): () => Promise<number> {
  let conversation: TakeTurn | undefined;
  let turns = 0;
  return async () => {
    if (conversation === undefined || turns === TURNS) {
      conversation = await begin();
      turns = 0;
    }
    turns += 1;
    const begun = performance.now();
    await conversation();
    return performance.now() - begun;
  };
}

/**
 * Runs turns one after another without other load. Returns the time at which the first turn started
 * and the time at which the last turn ended. Also returns the CPU time that each process used for
 * one turn.
 */
async function profiledTurns(
  house: BenchHouse,
  client: ReturnType<typeof sdkClient>,
): Promise<{ profiled: ProfiledTurns; use: string }> {
  const take = await overHttp(client);
  const before = cpuTimes(house.pids);
  const from = monotonicMs();
  for (let turns = 0; turns < PROFILED_TURNS; turns += 1) await take();
  const to = monotonicMs();
  const use = formatUse(before, cpuTimes(house.pids), PROFILED_TURNS);
  return { profiled: { from, to, turns: PROFILED_TURNS }, use };
}

/**
 * Counts the events that one turn adds to the history of its workflow. Temporal must write each of
 * these events to its database.
 */
async function historyEvents(
  house: BenchHouse,
  ours: Record<string, ReturnType<typeof sdkClient>>,
  bare: BareTemporal,
): Promise<string> {
  const connection = await Connection.connect({ address: house.temporalAddress });
  house.onStop(() => connection.close());
  const temporal = new TemporalClient({ connection });
  const counted: string[] = [];
  const count = async (name: string, handle: WorkflowHandle, take: TakeTurn) => {
    const length = async () => (await handle.describe()).historyLength;
    const before = await length();
    for (let turns = 0; turns < COUNTED_TURNS; turns += 1) await take();
    counted.push(`${name} ${((await length()) - before) / COUNTED_TURNS}`);
  };
  for (const [name, client] of Object.entries(ours)) {
    const { thread_id: threadId } = await client.threads.create();
    const take = () => client.runs.wait(threadId, 'three', { input: INPUT });
    await take();
    await count(name, temporal.workflow.getHandle(conversationId(DEFAULT_TENANT, threadId)), take);
  }
  const { handle, turn: take } = await bare.conversation(STEPS);
  await count(BARE, handle, take);
  return counted.join(', ');
}

export async function overHttp(client: ReturnType<typeof sdkClient>): Promise<TakeTurn> {
  const { thread_id: threadId } = await client.threads.create();
  const take = () => client.runs.wait(threadId, 'three', { input: INPUT });
  await take();
  return take;
}

async function graphTurns({ turns }: GraphsInProcess): Promise<TakeTurn> {
  const invoke = turns(three, randomUUID());
  await invoke(INPUT);
  return () => invoke(INPUT);
}

/**
 * Returns a function that begins a conversation without the API process. A turn then creates the
 * run's record, submits the run, and reads the event log until the run's end.
 */
async function startBelowHttp(house: BenchHouse): Promise<() => Promise<TakeTurn>> {
  const stores = await openHouseStores(house, house.name);
  const connection = await Connection.connect({ address: house.temporalAddress });
  house.onStop(() => connection.close());
  const conversations = createConversations({
    client: new TemporalClient({ connection }),
    taskQueue: house.name,
    settings: { ...DEFAULT_SETTINGS, joinQuickStepsMs: 0 },
    timeoutMs: 10_000,
  });
  const caller: Caller = { tenant: DEFAULT_TENANT, principal: { kind: 'service', id: 'bench' }, onBehalfOf: [] };
  const assistant = { assistantId: systemAssistantId('three'), graphId: 'three' };
  const request = { input: INPUT, config: {}, streamModes: ['values' as const], streamSubgraphs: false };
  const shared = { ...assistant, multitaskStrategy: 'enqueue' as const, metadata: {}, request };

  return async () => {
    const threadId = randomUUID();
    await stores.threads.createThread(caller, { threadId });
    let afterSeq = 0;
    const take = async () => {
      const runId = randomUUID();
      await stores.threads.createRun(caller, { threadId, runId, ...shared });
      await conversations.submit(caller, threadId, { runId, ...assistant, strategy: 'enqueue' });
      const stop = new AbortController();
      for await (const events of stores.events.follow(caller, threadId, { afterSeq, signal: stop.signal })) {
        afterSeq = events.at(-1)?.seq ?? afterSeq;
        if (events.some((event) => event.runId === runId && event.event === CONTROL_EVENTS.ended)) stop.abort();
      }
    };
    await take();
    return take;
  };
}
