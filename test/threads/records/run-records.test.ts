import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MongoClient } from 'mongodb';
import { createThreadStore, ensureIndexes } from '../../../threads/index.js';
import { NO_STATE, caller, runStart, runEnd, fenceOf, newRun } from './support.js';

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

/** Creates a run and admits it, so that reads show the run. Returns the run id. */
async function createAdmitted(threadId: string, overrides = {}): Promise<string> {
  const run = newRun(threadId, overrides);
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

describe('the store of runs', () => {
  it('stores a run unchanged, and hides the run until admitRun is called', async () => {
    const threadId = await newThread();
    const request = {
      input: { 'a.b': { $gt: 1 } },
      command: { resume: { 'x.y': '$z' } },
      config: { configurable: { $k: 1 } },
      streamModes: ['values' as const],
      streamSubgraphs: true,
    };
    const created = newRun(threadId, { request, metadata: { $m: 'n.o' }, key: 'k.1' });
    const { run, created: isNew } = await store.createRun(caller(), created);
    expect(isNew).toBe(true);
    expect(run).toEqual({
      ...created,
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

  it('creates one run for 50 concurrent requests with the same idempotency key', async () => {
    const threadId = await newThread();
    const made = await Promise.all(
      Array.from({ length: 50 }, () => store.createRun(caller(), newRun(threadId, { key: 'once' }))),
    );
    expect(made.filter(({ created }) => created)).toHaveLength(1);
    expect(new Set(made.map(({ run }) => run.runId)).size).toBe(1);
    expect(await db.collection('runs').countDocuments({ threadId })).toBe(1);
  });

  it('accepts the same idempotency key in different threads', async () => {
    const [first, second] = [await newThread(), await newThread()];
    const results = [
      await store.createRun(caller(), newRun(first, { key: 'k' })),
      await store.createRun(caller(), newRun(second, { key: 'k' })),
      await store.createRun(caller(), newRun(first)),
      await store.createRun(caller(), newRun(first)),
    ];
    expect(results.map(({ created }) => created)).toEqual([true, true, true, true]);
  });

  it('returns the stored run if createRun is called again with the same run id', async () => {
    const threadId = await newThread();
    const run = newRun(threadId);
    await store.createRun(caller(), run);
    expect(await store.createRun(caller(), run)).toMatchObject({ run: { runId: run.runId }, created: false });
  });

  it('refuses a run if its thread does not exist', async () => {
    const run = newRun(randomUUID(), { key: 'k' });
    await expect(store.createRun(caller(), run)).rejects.toThrow(`thread ${run.threadId} does not exist`);
    expect(await db.collection('runs').countDocuments({ threadId: run.threadId })).toBe(0);
  });

  it('names an invalid run id or idempotency key in the error', async () => {
    const threadId = await newThread();
    await expect(store.createRun(caller(), newRun(threadId, { runId: 'r/1' }))).rejects.toThrow(
      'run_id is "r/1"; expected a UUID in lower case',
    );
    await expect(store.createRun(caller(), newRun(threadId, { key: '' }))).rejects.toThrow(
      'idempotency key has 0 characters; expected 1 to 255',
    );
  });

  it('refuses a run whose request is too large for a MongoDB document', async () => {
    const run = newRun(await newThread());
    run.request.input = 'x'.repeat(16 * 2 ** 20);
    await expect(store.createRun(caller(), run)).rejects.toMatchObject({ code: 'too_large' });
  });

  it('lets MongoDB’s TTL index remove only runs that were never admitted, seven days after their planned start', async () => {
    const threadId = await newThread();
    const [orphan, accepted, started, delayed] = [
      newRun(threadId),
      newRun(threadId),
      newRun(threadId),
      newRun(threadId),
    ];
    delayed.request.afterSeconds = 86_400;
    for (const run of [orphan, accepted, started, delayed]) await store.createRun(caller(), run);
    await store.admitRun(caller(), threadId, accepted.runId);
    await store.startRun(caller(), threadId, started.runId, runStart(0));
    const orphans = await db
      .collection('runs')
      .find({ threadId, expiresAt: { $exists: true } })
      .toArray();
    const days = new Map(orphans.map((run) => [run.runId, (run.expiresAt - run.createdAt) / 86_400_000]));
    expect(days).toEqual(
      new Map([
        [orphan.runId, 7],
        [delayed.runId, 8],
      ]),
    );
    const ttl = (await db.collection('runs').indexes()).find(({ key }) => 'expiresAt' in key);
    expect(ttl?.expireAfterSeconds).toBe(0);
  });

  it('returns the admitted runs that have not ended, of all threads of a tenant, but none of other tenants', async () => {
    const activeIds = [];
    for (const tenant of ['range', 'range', 'range-er', 'rang']) {
      const threadId = randomUUID();
      await store.createThread(caller(tenant), { threadId });
      const [active, hidden, over] = [newRun(threadId), newRun(threadId), newRun(threadId)];
      for (const run of [active, hidden, over]) await store.createRun(caller(tenant), run);
      for (const run of [active, over]) await store.admitRun(caller(tenant), threadId, run.runId);
      await store.endRun(caller(tenant), threadId, runEnd(over.runId));
      activeIds.push(active.runId);
    }
    const found = await store.allActiveRuns(caller('range'));
    expect(found.map(({ runId }) => runId).sort()).toEqual(activeIds.slice(0, 2).sort());
  });

  it('stores when a run was first started, and why it was cancelled; the reason cannot change after the run has ended', async () => {
    const threadId = await newThread();
    const run = newRun(threadId);
    await store.createRun(caller(), run);
    const get = () => store.getRun(caller(), threadId, run.runId, { admittedOnly: false });
    expect((await get()).startedAt).toBeUndefined();
    await store.startRun(caller(), threadId, run.runId, runStart(0));
    const { startedAt } = await get();
    expect(startedAt).toBeInstanceOf(Date);
    await store.startRun(caller(), threadId, run.runId, runStart(0));
    await store.setCancelReason(caller(), threadId, run.runId, 'user request');
    expect(await get()).toMatchObject({ startedAt, cancelReason: 'user request' });
    await store.endRun(caller(), threadId, runEnd(run.runId));
    await store.setCancelReason(caller(), threadId, run.runId, 'too late');
    expect((await get()).cancelReason).toBe('user request');
  });

  it('removes a run with discardRun if the run has not started, but keeps a run that has started', async () => {
    const threadId = await newThread();
    const [refused, started] = [newRun(threadId), newRun(threadId)];
    for (const run of [refused, started]) await store.createRun(caller(), run);
    await store.startRun(caller(), threadId, started.runId, runStart(0));
    for (const { runId } of [refused, refused, started]) await store.discardRun(caller(), threadId, runId);
    expect((await store.listRuns(caller(), threadId, page)).map(({ runId }) => runId)).toEqual([started.runId]);
  });

  it('hides a run from other tenants', async () => {
    const threadId = await newThread();
    const theirs = await newThread('other');
    const runId = await createAdmitted(threadId);
    await expect(store.getRun(caller('other'), threadId, runId)).rejects.toMatchObject({ code: 'not_found' });
    await expect(store.listRuns(caller('other'), threadId, page)).rejects.toMatchObject({ code: 'not_found' });
    expect(await store.listRuns(caller('other'), theirs, page)).toEqual([]);
    await store.discardRun(caller('other'), threadId, runId);
    await store.removeRun(caller('other'), threadId, runId);
    expect(await status(threadId, runId)).toEqual(['pending', 'idle']);
  });
});

describe('listing runs', () => {
  it('listRuns returns the newest run first, activeRuns returns the oldest run first', async () => {
    const threadId = await newThread();
    const runs: string[] = [];
    for (let n = 0; n < 4; n += 1) runs.push(await createAdmitted(threadId));
    const [first = '', second = '', third = '', fourth = ''] = runs;
    await store.startRun(caller(), threadId, first, runStart(0));
    await store.endRun(caller(), threadId, runEnd(first));
    await store.startRun(caller(), threadId, second, runStart(5));
    const ids = (found: { runId: string }[]) => found.map(({ runId }) => runId);
    expect(ids(await store.listRuns(caller(), threadId, page))).toEqual([fourth, third, second, first]);
    expect(ids(await store.listRuns(caller(), threadId, { limit: 2, offset: 1 }))).toEqual([third, second]);
    expect(ids(await store.listRuns(caller(), threadId, { ...page, status: 'success' }))).toEqual([first]);
    expect(ids(await store.activeRuns(caller(), threadId))).toEqual([second, third, fourth]);
  });
});

describe('starting and ending a run', () => {
  it('startRun marks the run as running and its thread as busy; endRun stores the result in both', async () => {
    const threadId = await newThread();
    const run = newRun(threadId);
    await store.createRun(caller(), run);
    await store.startRun(caller(), threadId, run.runId, runStart(7));
    await store.startRun(caller(), threadId, run.runId, runStart(9));
    expect(await status(threadId, run.runId)).toEqual(['running', 'busy']);
    expect((await store.getRun(caller(), threadId, run.runId)).afterSeq).toBe(7);
    const interrupts = { 'task.1': [{ id: 'i1', value: { $q: 'ok?' } }] };
    const end = runEnd(run.runId, { status: 'interrupted', threadStatus: 'interrupted', interrupts });
    expect(await store.endRun(caller(), threadId, end)).toBe(true);
    expect(await store.endRun(caller(), threadId, end)).toBe(false);
    expect(await status(threadId, run.runId)).toEqual(['interrupted', 'interrupted']);
    expect((await store.getThread(caller(), threadId)).interrupts).toEqual(interrupts);
  });

  it('the thread of a failed run keeps the error until the next run starts', async () => {
    const threadId = await newThread();
    const [failing, next] = [await createAdmitted(threadId), await createAdmitted(threadId)];
    const error = { error: 'TypeError', message: 'x is undefined' };
    await store.startRun(caller(), threadId, failing, runStart(0));
    await store.endRun(caller(), threadId, runEnd(failing, { status: 'error', threadStatus: 'error', error }));
    expect(await store.getRun(caller(), threadId, failing)).toMatchObject({ status: 'error', error });
    expect(await store.getThread(caller(), threadId)).toMatchObject({ status: 'error', error });
    await store.startRun(caller(), threadId, next, runStart(3));
    expect(await store.getThread(caller(), threadId)).not.toHaveProperty('error');
    expect(await status(threadId, next)).toEqual(['running', 'busy']);
  });

  it('late calls of startRun and endRun change neither a run that has ended nor its thread', async () => {
    const threadId = await newThread();
    const [old, next] = [await createAdmitted(threadId), await createAdmitted(threadId)];
    await store.startRun(caller(), threadId, old, runStart(0));
    await store.endRun(caller(), threadId, runEnd(old));
    await store.startRun(caller(), threadId, old, runStart(0));
    await store.startRun(caller(), threadId, old, runStart(4));
    expect(await status(threadId, old)).toEqual(['success', 'idle']);
    await store.startRun(caller(), threadId, next, runStart(5));
    await store.startRun(caller(), threadId, old, runStart(0));
    expect(await store.endRun(caller(), threadId, runEnd(old, { status: 'error', threadStatus: 'error' }))).toBe(false);
    expect(await status(threadId, old)).toEqual(['success', 'busy']);
    await store.endRun(caller(), threadId, runEnd(next));
    expect(await status(threadId, next)).toEqual(['success', 'idle']);
  });

  it('the thread of an active run stays busy when a waiting run is cancelled and ends', async () => {
    const threadId = await newThread();
    const [current, waiting] = [await createAdmitted(threadId), await createAdmitted(threadId)];
    await store.startRun(caller(), threadId, current, runStart(0));
    expect(await store.endRun(caller(), threadId, runEnd(waiting, { status: 'interrupted' }))).toBe(true);
    expect(await status(threadId, waiting)).toEqual(['interrupted', 'busy']);
    expect(await status(threadId, current)).toEqual(['running', 'busy']);
  });

  it('endRun updates the thread even if an earlier call was cut off after it had updated only the run', async () => {
    const threadId = await newThread();
    const runId = await createAdmitted(threadId);
    await store.startRun(caller(), threadId, runId, runStart(0));
    await db.collection('runs').updateOne({ runId }, { $set: { status: 'success' } });
    expect(await store.endRun(caller(), threadId, runEnd(runId))).toBe(false);
    expect(await status(threadId, runId)).toEqual(['success', 'idle']);
  });

  it('endRun returns true to exactly one of many concurrent calls', async () => {
    const threadId = await newThread();
    const runId = await createAdmitted(threadId);
    await store.startRun(caller(), threadId, runId, runStart(0));
    const ends = await Promise.all(Array.from({ length: 10 }, () => store.endRun(caller(), threadId, runEnd(runId))));
    expect(ends.filter(Boolean)).toHaveLength(1);
  });

  it('startRun and endRun refuse an attempt after an attempt with a higher fence has taken the run over', async () => {
    const threadId = await newThread();
    const runId = await createAdmitted(threadId);
    const interrupts = { task: [{ id: 'i1', value: 'ok?' }] };
    const late = runEnd(runId, { status: 'interrupted', threadStatus: 'interrupted', interrupts });
    expect(await store.startRun(caller(), threadId, runId, runStart(0, 1))).toBe(true);
    expect(await store.startRun(caller(), threadId, runId, runStart(3, 2))).toBe(true);
    await expect(store.endRun(caller(), threadId, late)).rejects.toMatchObject({ code: 'fence_lost' });
    await expect(store.startRun(caller(), threadId, runId, runStart(0, 1))).rejects.toMatchObject({
      code: 'fence_lost',
    });
    expect(await status(threadId, runId)).toEqual(['running', 'busy']);
    expect(await store.endRun(caller(), threadId, runEnd(runId, { fence: fenceOf(2) }))).toBe(true);
    expect(await store.endRun(caller(), threadId, late)).toBe(false);
    expect(await store.startRun(caller(), threadId, runId, runStart(3, 3))).toBe(false);
    expect(await status(threadId, runId)).toEqual(['success', 'idle']);
    expect((await store.getThread(caller(), threadId)).interrupts).toEqual({});
  });

  it('startRun fails with not_found if the record of the run was removed', async () => {
    const threadId = await newThread();
    const runId = await createAdmitted(threadId);
    await store.removeRun(caller(), threadId, runId);
    await store.removeRun(caller(), threadId, runId);
    await expect(store.startRun(caller(), threadId, runId, runStart(0))).rejects.toMatchObject({ code: 'not_found' });
  });

  it('endRun makes the thread idle even if the record of the run was removed', async () => {
    const threadId = await newThread();
    const runId = await createAdmitted(threadId);
    await store.startRun(caller(), threadId, runId, runStart(0));
    await store.removeRun(caller(), threadId, runId);
    expect(await store.endRun(caller(), threadId, runEnd(runId))).toBe(false);
    expect((await store.getThread(caller(), threadId)).status).toBe('idle');
  });

  it('a rolled back run is hidden as soon as it has ended, even before its record is removed', async () => {
    const threadId = await newThread();
    const runId = await createAdmitted(threadId);
    await store.startRun(caller(), threadId, runId, runStart(0));
    expect(await store.endRun(caller(), threadId, runEnd(runId, { isRolledBack: true }))).toBe(true);
    await expect(store.getRun(caller(), threadId, runId)).rejects.toMatchObject({ code: 'not_found' });
    expect(await store.listRuns(caller(), threadId, page)).toEqual([]);
    // The record stays until the last event of the run is stored. So a later attempt of the
    // activity that ends the run still finds the record, and removes it.
    expect(await store.getRun(caller(), threadId, runId, { admittedOnly: false })).toMatchObject({ runId });
  });

  it('countFailure counts the failed attempts of each superstep, even if the calls are concurrent', async () => {
    const threadId = await newThread();
    const runId = await createAdmitted(threadId);
    const count = (superstep: string, attempt = 1, id = runId) =>
      store.countFailure(caller(), threadId, id, { superstep, fence: fenceOf(attempt) });
    const counts = await Promise.all(['a', 'a', 'a', 'b'].map((superstep) => count(superstep)));
    expect(counts.slice(0, 3).sort()).toEqual([1, 2, 3]);
    expect(counts[3]).toBe(1);
    expect(await count('a')).toBe(4);
    await expect(count('a', 1, randomUUID())).rejects.toMatchObject({ code: 'not_found' });
    await expect(count('a.b')).rejects.toThrow('superstep is "a.b"');
    await store.startRun(caller(), threadId, runId, runStart(0, 2));
    await expect(count('a', 1)).rejects.toMatchObject({ code: 'fence_lost' });
    expect(await count('a', 2)).toBe(5);
  });
});

describe('a database that does not answer', () => {
  it('makes calls of the store fail with the error code unavailable', async () => {
    const unreachable = new MongoClient('mongodb://127.0.0.1:1/?directConnection=true', {
      serverSelectionTimeoutMS: 50,
    });
    const unavailableStore = createThreadStore({
      db: unreachable.db('none'),
      ...NO_STATE,
    });
    await expect(unavailableStore.getThread(caller(), randomUUID())).rejects.toMatchObject({ code: 'unavailable' });
    await unreachable.close();
  });
});
