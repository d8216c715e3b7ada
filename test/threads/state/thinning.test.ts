import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { emptyCheckpoint, uuid6 } from '@langchain/langgraph-checkpoint';
import { MongoClient } from 'mongodb';
import { MongoSaver, createThreadStore, ensureIndexes, thinState } from '../../../threads/index.js';
import { NO_STATE, caller, runStart, runEnd, newRun } from '../records/support.js';

const MINUTE = 60_000;
const client = new MongoClient(process.env.COLLOQUY_TEST_MONGODB_URI ?? '');
const db = client.db(`test_thinning_${process.pid}`);
let tenants = 0;
let tenant: string;
let saver: MongoSaver;
const store = createThreadStore({
  db,
  ...NO_STATE,
  thinState: (of, threadId, policy, options) => thinState({ client, db, tenant: of.tenant }, threadId, policy, options),
});

beforeAll(async () => {
  await client.connect();
  await ensureIndexes(db);
});
beforeEach(() => {
  tenant = `t${(tenants += 1)}`;
  saver = new MongoSaver({ client, db, tenant });
});
afterAll(async () => {
  await db.dropDatabase();
  await client.close();
});

const inMinutes = (minutes: number) => new Date(Date.now() + minutes * MINUTE);
const place = (threadId: string, id?: string) => ({
  configurable: { thread_id: threadId, checkpoint_ns: '', ...(id && { checkpoint_id: id }) },
});

/** `ages`: of its checkpoints, in minutes, oldest first. A run of it has ended. */
async function thread(ages: number[]): Promise<string> {
  const { threadId } = await store.createThread(caller(tenant), { threadId: randomUUID() });
  let parent: string | undefined;
  for (const [step, age] of ages.entries()) {
    const checkpoint = { ...emptyCheckpoint(), id: uuid6(step), ts: inMinutes(-age).toISOString() };
    await saver.put(place(threadId, parent), checkpoint, { source: 'loop', step, parents: {} }, {});
    parent = checkpoint.id;
  }
  await run(threadId);
  return threadId;
}

async function run(threadId: string): Promise<void> {
  const { run } = await store.createRun(caller(tenant), newRun(threadId));
  await store.startRun(caller(tenant), threadId, run.runId, runStart(0));
  await store.endRun(caller(tenant), threadId, runEnd(run.runId));
}

async function steps(threadId: string): Promise<unknown[]> {
  const found: unknown[] = [];
  for await (const { metadata } of saver.list(place(threadId))) found.push(metadata?.step);
  return found;
}

const due = (now = inMinutes(1), limit = 10) => store.thinnableThreads(caller(tenant), { now, limit });

describe('threads whose history is to be thinned', () => {
  it('are those that changed since, the longest due first, a page at a time', async () => {
    const [first, second] = [await thread([0, 0]), await thread([0, 0])];
    await store.createThread(caller(tenant), { threadId: randomUUID() });
    expect((await due()).map(({ threadId }) => threadId)).toEqual([first, second]);
    const page = await due(inMinutes(1), 1);
    expect(page.map(({ threadId }) => threadId)).toEqual([first]);
    for (const one of page) expect(await store.thinThread(caller(tenant), one, { last: 1 }, new Date())).toBe(true);
    expect(await steps(first)).toEqual([1]);
    expect((await due(inMinutes(1_000))).map(({ threadId }) => threadId)).toEqual([second]);
    await run(first);
    expect((await due()).map(({ threadId }) => threadId)).toEqual([second, first]);
    expect(await store.thinnableThreads(caller('nobody'), { now: inMinutes(1), limit: 10 })).toEqual([]);
  });

  it('are left to the process that came first, and changes of the meantime are not forgotten', async () => {
    const threadId = await thread([0, 0, 0]);
    const [one] = await due();
    if (one === undefined) throw new Error('nothing is due');
    const done = await Promise.all([1, 2, 3].map(() => store.thinThread(caller(tenant), one, { last: 2 }, new Date())));
    expect(done.filter(Boolean)).toHaveLength(1);
    expect(await steps(threadId)).toEqual([2, 1]);
    await run(threadId);
    const [read] = await due();
    await run(threadId);
    if (read === undefined) throw new Error('nothing is due');
    expect(await store.thinThread(caller(tenant), read, { last: 1 }, new Date())).toBe(false);
    expect(await due()).toHaveLength(1);
  });

  it('are not those that a run works on; one that waits has its history left as it is, and is looked at later', async () => {
    const threadId = await thread([0, 0, 0]);
    const { run } = await store.createRun(caller(tenant), newRun(threadId));
    await store.admitRun(caller(tenant), threadId, run.runId);
    const [one] = await due();
    if (one === undefined) throw new Error('nothing is due');
    expect(await store.thinThread(caller(tenant), one, { last: 1 }, new Date())).toBe(false);
    expect(await steps(threadId)).toEqual([2, 1, 0]);
    expect(await due()).toEqual([]);
    expect(await due(inMinutes(11))).toHaveLength(1);
    await store.startRun(caller(tenant), threadId, run.runId, runStart(1));
    expect(await due(inMinutes(11))).toEqual([]);
  });

  it('are looked at again when more of their checkpoints are too old, and no more when none will be', async () => {
    const threadId = await thread([50, 30, 10, 5]);
    const thin = async (now: Date) => {
      for (const one of await due(now)) await store.thinThread(caller(tenant), one, { maxAgeMs: 40 * MINUTE }, now);
    };
    await thin(inMinutes(0.1));
    expect(await steps(threadId)).toEqual([3, 2, 1]);
    // The one of 30 minutes is too old in 10, and goes with others up to 4 minutes later.
    expect(await due(inMinutes(13))).toEqual([]);
    await thin(inMinutes(15));
    expect(await steps(threadId)).toEqual([3, 2]);
    await thin(inMinutes(35));
    expect(await steps(threadId)).toEqual([3]);
    expect(await due(inMinutes(100_000))).toEqual([]);
  });

  it('keep what was the newest when it was asked whether a run works: that run may be rolled back to it', async () => {
    const threadId = await thread([0, 0]);
    const base = await saver.getTuple(place(threadId));
    const isIdle = async () => {
      const id = uuid6(2);
      const parent = base?.checkpoint.id;
      await saver.put(
        place(threadId, parent),
        { ...emptyCheckpoint(), id },
        { source: 'loop', step: 2, parents: {} },
        {},
      );
      return true;
    };
    await thinState({ client, db, tenant }, threadId, { last: 1 }, { isIdle });
    expect(await steps(threadId)).toEqual([2, 1]);
  });
});
