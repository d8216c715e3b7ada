import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MongoClient } from 'mongodb';
import { createThreadStore, ensureIndexes } from '../../../threads/index.js';
import { NO_STATE, caller, begins, ended, fenceOf, newRun } from './support.js';

const client = new MongoClient(process.env.COLLOQUY_TEST_MONGODB_URI ?? '');
const db = client.db(`test_run_records_${process.pid}`);
const store = createThreadStore({ db, ...NO_STATE });
const page = { limit: 10, offset: 0 };

beforeAll(async () => {
  await client.connect();
  await ensureIndexes(db);
});
afterAll(async () => {
  await db.dropDatabase();
  await client.close();
});

async function newThread(tenant = 'acme'): Promise<string> {
  return (await store.createThread(caller(tenant), { threadId: randomUUID() })).threadId;
}

/** A run that the conversation has accepted. */
async function admitted(threadId: string, given = {}): Promise<string> {
  const run = newRun(threadId, given);
  await store.createRun(caller(), run);
  await store.admitRun(caller(), threadId, run.runId);
  return run.runId;
}

async function status(threadId: string, runId: string): Promise<[run: string, thread: string]> {
  const [run, thread] = await Promise.all([
    store.getRun(caller(), threadId, runId),
    store.getThread(caller(), threadId),
  ]);
  return [run.status, thread.status];
}

describe('making a run', () => {
  it('keeps it as it was given, and hides it until it is admitted', async () => {
    const threadId = await newThread();
    const request = {
      input: { 'a.b': { $gt: 1 } },
      command: { resume: { 'x.y': '$z' } },
      config: { configurable: { $k: 1 } },
      streamModes: ['values' as const],
      streamSubgraphs: true,
    };
    const given = newRun(threadId, { request, metadata: { $m: 'n.o' }, key: 'k.1' });
    const { run, created } = await store.createRun(caller(), given);
    expect(created).toBe(true);
    expect(run).toEqual({
      ...given,
      tenant: 'acme',
      createdBy: { principal: caller().principal, onBehalfOf: [] },
      status: 'pending',
      createdAt: expect.any(Date),
      updatedAt: expect.any(Date),
    });
    await expect(store.getRun(caller(), threadId, run.runId)).rejects.toMatchObject({ code: 'not_found' });
    expect(await store.listRuns(caller(), threadId, page)).toEqual([]);
    expect(await store.activeRuns(caller(), threadId)).toEqual([]);
    expect(await store.getRun(caller(), threadId, run.runId, { admittedOnly: false })).toEqual(run);
    await store.admitRun(caller(), threadId, run.runId);
    await store.admitRun(caller(), threadId, run.runId);
    expect(await store.getRun(caller(), threadId, run.runId)).toMatchObject({ runId: run.runId, request });
  });

  it('gives 50 requests with one key one run', async () => {
    const threadId = await newThread();
    const made = await Promise.all(
      Array.from({ length: 50 }, () => store.createRun(caller(), newRun(threadId, { key: 'once' }))),
    );
    expect(made.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(made.map(({ run }) => run.runId)).size).toBe(1);
    expect(await db.collection('runs').countDocuments({ threadId })).toBe(1);
  });

  it('takes a key for one thread of one tenant alone', async () => {
    const [one, two] = [await newThread(), await newThread()];
    const results = [
      await store.createRun(caller(), newRun(one, { key: 'k' })),
      await store.createRun(caller(), newRun(two, { key: 'k' })),
      await store.createRun(caller(), newRun(one)),
      await store.createRun(caller(), newRun(one)),
    ];
    expect(results.map(({ created }) => created)).toEqual([true, true, true, true]);
  });

  it('gives the same run when the same call is made twice', async () => {
    const threadId = await newThread();
    const run = newRun(threadId);
    await store.createRun(caller(), run);
    expect(await store.createRun(caller(), run)).toMatchObject({ run: { runId: run.runId }, created: false });
  });

  it('needs a thread', async () => {
    const run = newRun(randomUUID(), { key: 'k' });
    await expect(store.createRun(caller(), run)).rejects.toThrow(`thread ${run.threadId} does not exist`);
    expect(await db.collection('runs').countDocuments({ threadId: run.threadId })).toBe(0);
  });

  it('names ids and keys that are none', async () => {
    const threadId = await newThread();
    await expect(store.createRun(caller(), newRun(threadId, { runId: 'r/1' }))).rejects.toThrow(
      'run_id is "r/1"; expected a UUID in lower case',
    );
    await expect(store.createRun(caller(), newRun(threadId, { key: '' }))).rejects.toThrow(
      'idempotency key has 0 characters; expected 1 to 255',
    );
  });

  it('refuses a request that does not fit a document', async () => {
    const run = newRun(await newThread());
    run.request.input = 'x'.repeat(16 * 2 ** 20);
    await expect(store.createRun(caller(), run)).rejects.toMatchObject({ code: 'too_large' });
  });

  it('sweeps only what was never admitted, seven days after it would have begun', async () => {
    const threadId = await newThread();
    const [orphan, accepted, begun, delayed] = [newRun(threadId), newRun(threadId), newRun(threadId), newRun(threadId)];
    delayed.request.afterSeconds = 86_400;
    for (const run of [orphan, accepted, begun, delayed]) await store.createRun(caller(), run);
    await store.admitRun(caller(), threadId, accepted.runId);
    await store.startRun(caller(), threadId, begun.runId, begins(0));
    const swept = await db
      .collection('runs')
      .find({ threadId, expiresAt: { $exists: true } })
      .toArray();
    const days = new Map(swept.map((run) => [run.runId, (run.expiresAt - run.createdAt) / 86_400_000]));
    expect(days).toEqual(
      new Map([
        [orphan.runId, 7],
        [delayed.runId, 8],
      ]),
    );
    const ttl = (await db.collection('runs').indexes()).find(({ key }) => 'expiresAt' in key);
    expect(ttl?.expireAfterSeconds).toBe(0);
  });

  it("finds the active runs of all threads of a tenant, and no other's", async () => {
    const made = [];
    for (const tenant of ['range', 'range', 'range-er', 'rang']) {
      const threadId = randomUUID();
      await store.createThread(caller(tenant), { threadId });
      const [active, hidden, over] = [newRun(threadId), newRun(threadId), newRun(threadId)];
      for (const run of [active, hidden, over]) await store.createRun(caller(tenant), run);
      for (const run of [active, over]) await store.admitRun(caller(tenant), threadId, run.runId);
      await store.endRun(caller(tenant), threadId, ended(over.runId));
      made.push(active.runId);
    }
    const found = await store.allActiveRuns(caller('range'));
    expect(found.map(({ runId }) => runId).sort()).toEqual(made.slice(0, 2).sort());
  });

  it('says why a run is cancelled, and when it started', async () => {
    const threadId = await newThread();
    const run = newRun(threadId);
    await store.createRun(caller(), run);
    const get = () => store.getRun(caller(), threadId, run.runId, { admittedOnly: false });
    expect((await get()).startedAt).toBeUndefined();
    await store.startRun(caller(), threadId, run.runId, begins(0));
    const { startedAt } = await get();
    expect(startedAt).toBeInstanceOf(Date);
    await store.startRun(caller(), threadId, run.runId, begins(0));
    await store.setCancelReason(caller(), threadId, run.runId, 'taken: so');
    expect(await get()).toMatchObject({ startedAt, cancelReason: 'taken: so' });
    await store.endRun(caller(), threadId, ended(run.runId));
    await store.setCancelReason(caller(), threadId, run.runId, 'too late');
    expect((await get()).cancelReason).toBe('taken: so');
  });

  it('discards a run that was refused, never one that started', async () => {
    const threadId = await newThread();
    const [refused, begun] = [newRun(threadId), newRun(threadId)];
    for (const run of [refused, begun]) await store.createRun(caller(), run);
    await store.startRun(caller(), threadId, begun.runId, begins(0));
    for (const { runId } of [refused, refused, begun]) await store.discardRun(caller(), threadId, runId);
    expect((await store.listRuns(caller(), threadId, page)).map(({ runId }) => runId)).toEqual([begun.runId]);
  });

  it('is hidden from other tenants', async () => {
    const threadId = await newThread();
    const theirs = await newThread('other');
    const runId = await admitted(threadId);
    await expect(store.getRun(caller('other'), threadId, runId)).rejects.toMatchObject({ code: 'not_found' });
    await expect(store.listRuns(caller('other'), threadId, page)).rejects.toMatchObject({ code: 'not_found' });
    expect(await store.listRuns(caller('other'), theirs, page)).toEqual([]);
    await store.discardRun(caller('other'), threadId, runId);
    await store.removeRun(caller('other'), threadId, runId);
    expect(await status(threadId, runId)).toEqual(['pending', 'idle']);
  });
});

describe('lists of runs', () => {
  it('have the newest first, the active ones oldest first', async () => {
    const threadId = await newThread();
    const runs: string[] = [];
    for (let n = 0; n < 4; n += 1) runs.push(await admitted(threadId));
    const [first = '', second = '', third = '', fourth = ''] = runs;
    await store.startRun(caller(), threadId, first, begins(0));
    await store.endRun(caller(), threadId, ended(first));
    await store.startRun(caller(), threadId, second, begins(5));
    const ids = (found: { runId: string }[]) => found.map(({ runId }) => runId);
    expect(ids(await store.listRuns(caller(), threadId, page))).toEqual([fourth, third, second, first]);
    expect(ids(await store.listRuns(caller(), threadId, { limit: 2, offset: 1 }))).toEqual([third, second]);
    expect(ids(await store.listRuns(caller(), threadId, { ...page, status: 'success' }))).toEqual([first]);
    expect(ids(await store.activeRuns(caller(), threadId))).toEqual([second, third, fourth]);
  });
});

describe('running', () => {
  it('makes the run running and its thread busy, and the end tells both', async () => {
    const threadId = await newThread();
    const run = newRun(threadId);
    await store.createRun(caller(), run);
    await store.startRun(caller(), threadId, run.runId, begins(7));
    await store.startRun(caller(), threadId, run.runId, begins(9));
    expect(await status(threadId, run.runId)).toEqual(['running', 'busy']);
    expect((await store.getRun(caller(), threadId, run.runId)).afterSeq).toBe(7);
    const interrupts = { 'task.1': [{ id: 'i1', value: { $q: 'ok?' } }] };
    const end = ended(run.runId, { status: 'interrupted', threadStatus: 'interrupted', interrupts });
    expect(await store.endRun(caller(), threadId, end)).toBe(true);
    expect(await store.endRun(caller(), threadId, end)).toBe(false);
    expect(await status(threadId, run.runId)).toEqual(['interrupted', 'interrupted']);
    expect((await store.getThread(caller(), threadId)).interrupts).toEqual(interrupts);
  });

  it('keeps the cause of an error until the next run starts', async () => {
    const threadId = await newThread();
    const [failing, next] = [await admitted(threadId), await admitted(threadId)];
    const error = { error: 'TypeError', message: 'x is undefined' };
    await store.startRun(caller(), threadId, failing, begins(0));
    await store.endRun(caller(), threadId, ended(failing, { status: 'error', threadStatus: 'error', error }));
    expect(await store.getRun(caller(), threadId, failing)).toMatchObject({ status: 'error', error });
    expect(await store.getThread(caller(), threadId)).toMatchObject({ status: 'error', error });
    await store.startRun(caller(), threadId, next, begins(3));
    expect(await store.getThread(caller(), threadId)).not.toHaveProperty('error');
    expect(await status(threadId, next)).toEqual(['running', 'busy']);
  });

  it('leaves an ended run ended, and its thread as it is', async () => {
    const threadId = await newThread();
    const [old, next] = [await admitted(threadId), await admitted(threadId)];
    await store.startRun(caller(), threadId, old, begins(0));
    await store.endRun(caller(), threadId, ended(old));
    await store.startRun(caller(), threadId, old, begins(0));
    await store.startRun(caller(), threadId, old, begins(4));
    expect(await status(threadId, old)).toEqual(['success', 'idle']);
    await store.startRun(caller(), threadId, next, begins(5));
    await store.startRun(caller(), threadId, old, begins(0));
    expect(await store.endRun(caller(), threadId, ended(old, { status: 'error', threadStatus: 'error' }))).toBe(false);
    expect(await status(threadId, old)).toEqual(['success', 'busy']);
    await store.endRun(caller(), threadId, ended(next));
    expect(await status(threadId, next)).toEqual(['success', 'idle']);
  });

  it('does not free a busy thread when a waiting run is cancelled', async () => {
    const threadId = await newThread();
    const [current, waiting] = [await admitted(threadId), await admitted(threadId)];
    await store.startRun(caller(), threadId, current, begins(0));
    expect(await store.endRun(caller(), threadId, ended(waiting, { status: 'interrupted' }))).toBe(true);
    expect(await status(threadId, waiting)).toEqual(['interrupted', 'busy']);
    expect(await status(threadId, current)).toEqual(['running', 'busy']);
  });

  it('finishes the end of a run whose record was written alone', async () => {
    const threadId = await newThread();
    const runId = await admitted(threadId);
    await store.startRun(caller(), threadId, runId, begins(0));
    await db.collection('runs').updateOne({ runId }, { $set: { status: 'success' } });
    expect(await store.endRun(caller(), threadId, ended(runId))).toBe(false);
    expect(await status(threadId, runId)).toEqual(['success', 'idle']);
  });

  it('tells one of many ends that it was the one', async () => {
    const threadId = await newThread();
    const runId = await admitted(threadId);
    await store.startRun(caller(), threadId, runId, begins(0));
    const ends = await Promise.all(Array.from({ length: 10 }, () => store.endRun(caller(), threadId, ended(runId))));
    expect(ends.filter(Boolean)).toHaveLength(1);
  });

  it('leaves a run to the executor that took it over', async () => {
    const threadId = await newThread();
    const runId = await admitted(threadId);
    const interrupts = { task: [{ id: 'i1', value: 'ok?' }] };
    const late = ended(runId, { status: 'interrupted', threadStatus: 'interrupted', interrupts });
    expect(await store.startRun(caller(), threadId, runId, begins(0, 1))).toBe(true);
    expect(await store.startRun(caller(), threadId, runId, begins(3, 2))).toBe(true);
    await expect(store.endRun(caller(), threadId, late)).rejects.toMatchObject({ code: 'fence_lost' });
    await expect(store.startRun(caller(), threadId, runId, begins(0, 1))).rejects.toMatchObject({ code: 'fence_lost' });
    expect(await status(threadId, runId)).toEqual(['running', 'busy']);
    expect(await store.endRun(caller(), threadId, ended(runId, { fence: fenceOf(2) }))).toBe(true);
    expect(await store.endRun(caller(), threadId, late)).toBe(false);
    expect(await store.startRun(caller(), threadId, runId, begins(3, 3))).toBe(false);
    expect(await status(threadId, runId)).toEqual(['success', 'idle']);
    expect((await store.getThread(caller(), threadId)).interrupts).toEqual({});
  });

  it('cannot start what has no record', async () => {
    const threadId = await newThread();
    const runId = await admitted(threadId);
    await store.removeRun(caller(), threadId, runId);
    await store.removeRun(caller(), threadId, runId);
    await expect(store.startRun(caller(), threadId, runId, begins(0))).rejects.toMatchObject({ code: 'not_found' });
  });

  it('ends a thread whose run was taken away', async () => {
    const threadId = await newThread();
    const runId = await admitted(threadId);
    await store.startRun(caller(), threadId, runId, begins(0));
    await store.removeRun(caller(), threadId, runId);
    expect(await store.endRun(caller(), threadId, ended(runId))).toBe(false);
    expect((await store.getThread(caller(), threadId)).status).toBe('idle');
  });

  it('counts failures of each superstep, also at once', async () => {
    const threadId = await newThread();
    const runId = await admitted(threadId);
    const count = (superstep: string, attempt = 1, id = runId) =>
      store.countFailure(caller(), threadId, id, { superstep, fence: fenceOf(attempt) });
    const counts = await Promise.all(['a', 'a', 'a', 'b'].map((superstep) => count(superstep)));
    expect(counts.slice(0, 3).sort()).toEqual([1, 2, 3]);
    expect(counts[3]).toBe(1);
    expect(await count('a')).toBe(4);
    await expect(count('a', 1, randomUUID())).rejects.toMatchObject({ code: 'not_found' });
    await expect(count('a.b')).rejects.toThrow('superstep is "a.b"');
    await store.startRun(caller(), threadId, runId, begins(0, 2));
    await expect(count('a', 1)).rejects.toMatchObject({ code: 'fence_lost' });
    expect(await count('a', 2)).toBe(5);
  });
});

describe('a database that does not answer', () => {
  it('is told as unavailable', async () => {
    const nobody = new MongoClient('mongodb://127.0.0.1:1/?directConnection=true', { serverSelectionTimeoutMS: 50 });
    const cut = createThreadStore({
      db: nobody.db('none'),
      ...NO_STATE,
    });
    await expect(cut.getThread(caller(), randomUUID())).rejects.toMatchObject({ code: 'unavailable' });
    await nobody.close();
  });
});
