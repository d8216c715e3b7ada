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
  thinState: (owner, threadId, policy, options) =>
    thinState({ client, db, tenant: owner.tenant }, threadId, policy, options),
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
const configOf = (threadId: string, id?: string) => ({
  configurable: { thread_id: threadId, checkpoint_ns: '', ...(id && { checkpoint_id: id }) },
});

/**
 * Creates a thread with one run, which has ended, and one checkpoint for each age in `ages`. Ages
 * are in minutes, the oldest checkpoint comes first.
 */
async function createThread(ages: number[]): Promise<string> {
  const { threadId } = await store.createThread(caller(tenant), { threadId: randomUUID() });
  let parent: string | undefined;
  for (const [step, age] of ages.entries()) {
    const checkpoint = { ...emptyCheckpoint(), id: uuid6(step), ts: inMinutes(-age).toISOString() };
    await saver.put(configOf(threadId, parent), checkpoint, { source: 'loop', step, parents: {} }, {});
    parent = checkpoint.id;
  }
  await completeRun(threadId);
  return threadId;
}

async function completeRun(threadId: string): Promise<void> {
  const { run } = await store.createRun(caller(tenant), newRun(threadId));
  await store.startRun(caller(tenant), threadId, run.runId, runStart(0));
  await store.endRun(caller(tenant), threadId, runEnd(run.runId));
}

async function steps(threadId: string): Promise<unknown[]> {
  const steps: unknown[] = [];
  for await (const { metadata } of saver.list(configOf(threadId))) steps.push(metadata?.step);
  return steps;
}

const due = (now = inMinutes(1), limit = 10) => store.thinnableThreads(caller(tenant), { now, limit });

describe('threads that are due for thinning (the removal of old checkpoints)', () => {
  it('have changed since their last thinning, and are listed in the order in which they became due', async () => {
    const [first, second] = [await createThread([0, 0]), await createThread([0, 0])];
    await store.createThread(caller(tenant), { threadId: randomUUID() });
    expect((await due()).map(({ threadId }) => threadId)).toEqual([first, second]);
    const page = await due(inMinutes(1), 1);
    expect(page.map(({ threadId }) => threadId)).toEqual([first]);
    for (const thread of page)
      expect(await store.thinThread(caller(tenant), thread, { last: 1 }, new Date())).toBe(true);
    expect(await steps(first)).toEqual([1]);
    expect((await due(inMinutes(1_000))).map(({ threadId }) => threadId)).toEqual([second]);
    await completeRun(first);
    expect((await due()).map(({ threadId }) => threadId)).toEqual([second, first]);
    expect(await store.thinnableThreads(caller('nobody'), { now: inMinutes(1), limit: 10 })).toEqual([]);
  });

  it('are thinned by only one of several concurrent calls; no call thins them if a run has ended since they were listed', async () => {
    const threadId = await createThread([0, 0, 0]);
    const [dueThread] = await due();
    if (dueThread === undefined) throw new Error('nothing is due');
    const done = await Promise.all(
      [1, 2, 3].map(() => store.thinThread(caller(tenant), dueThread, { last: 2 }, new Date())),
    );
    expect(done.filter(Boolean)).toHaveLength(1);
    expect(await steps(threadId)).toEqual([2, 1]);
    await completeRun(threadId);
    const [readBefore] = await due();
    await completeRun(threadId);
    if (readBefore === undefined) throw new Error('nothing is due');
    expect(await store.thinThread(caller(tenant), readBefore, { last: 1 }, new Date())).toBe(false);
    expect(await due()).toHaveLength(1);
  });

  it('are left unchanged and become due again later if a run is pending, and are not due while a run is executing', async () => {
    const threadId = await createThread([0, 0, 0]);
    const { run } = await store.createRun(caller(tenant), newRun(threadId));
    await store.admitRun(caller(tenant), threadId, run.runId);
    const [dueThread] = await due();
    if (dueThread === undefined) throw new Error('nothing is due');
    expect(await store.thinThread(caller(tenant), dueThread, { last: 1 }, new Date())).toBe(false);
    expect(await steps(threadId)).toEqual([2, 1, 0]);
    expect(await due()).toEqual([]);
    expect(await due(inMinutes(11))).toHaveLength(1);
    await store.startRun(caller(tenant), threadId, run.runId, runStart(1));
    expect(await due(inMinutes(11))).toEqual([]);
  });

  it('are due again when another checkpoint becomes too old, and never again if only the newest checkpoint is left', async () => {
    const threadId = await createThread([50, 30, 10, 5]);
    const thin = async (now: Date) => {
      for (const thread of await due(now))
        await store.thinThread(caller(tenant), thread, { maxAgeMs: 40 * MINUTE }, now);
    };
    await thin(inMinutes(0.1));
    expect(await steps(threadId)).toEqual([3, 2, 1]);
    // One checkpoint is 30 minutes old now. In 10 minutes it will be older than `maxAgeMs`, which
    // is 40 minutes. Thinning waits 4 more minutes (a tenth of `maxAgeMs`), so that it removes
    // several checkpoints together.
    expect(await due(inMinutes(13))).toEqual([]);
    await thin(inMinutes(15));
    expect(await steps(threadId)).toEqual([3, 2]);
    await thin(inMinutes(35));
    expect(await steps(threadId)).toEqual([3]);
    expect(await due(inMinutes(100_000))).toEqual([]);
  });

  it('keep the checkpoint that was newest when thinning began, because a new run may be rolled back to it', async () => {
    const threadId = await createThread([0, 0]);
    const base = await saver.getTuple(configOf(threadId));
    const isIdle = async () => {
      const id = uuid6(2);
      const parent = base?.checkpoint.id;
      await saver.put(
        configOf(threadId, parent),
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
