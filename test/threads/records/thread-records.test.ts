import { NOTHING_REQUIRED } from '../../../protocol/index.js';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MongoClient } from 'mongodb';
import { createThreadStore, ensureIndexes, type ThreadQuery } from '../../../threads/index.js';
import { NO_STATE, caller, runStart, runEnd, newRun } from './support.js';

const client = new MongoClient(process.env.COLLOQUY_TEST_MONGODB_URI ?? '');
const db = client.db(`test_thread_records_${process.pid}`);
const stateRemoved: string[] = [];
const store = createThreadStore({
  db,
  ...NO_STATE,
  removeState: async ({ tenant }, threadId) => void stateRemoved.push(`${tenant}/${threadId}`),
});

beforeAll(async () => {
  await client.connect();
  await ensureIndexes(db);
});
afterAll(async () => {
  await db.dropDatabase();
  await client.close();
});

async function newThread(tenant = 'acme', overrides = {}): Promise<string> {
  return (await store.createThread(caller(tenant), { threadId: randomUUID(), ...overrides })).threadId;
}

async function searchIds(tenant: string, query: Partial<ThreadQuery>): Promise<string[]> {
  return (
    await store.searchThreads(caller(tenant), { required: NOTHING_REQUIRED, limit: 10, offset: 0, ...query })
  ).map(({ threadId }) => threadId);
}

describe('the records of threads', () => {
  it('are created with status idle and returned unchanged, whatever keys their metadata has', async () => {
    const metadata = { 'a.b': 1, $set: { $x: ['y'] }, '': null };
    const config = { configurable: { 'model.name': '$m' } };
    const threadId = randomUUID();
    const created = await store.createThread(caller(), { threadId, metadata, config });
    expect(created).toEqual({
      tenant: 'acme',
      threadId,
      createdBy: { principal: caller().principal, onBehalfOf: [] },
      status: 'idle',
      metadata,
      config,
      interrupts: {},
      createdAt: expect.any(Date),
      updatedAt: expect.any(Date),
      stateUpdatedAt: expect.any(Date),
    });
    expect(await store.getThread(caller(), threadId)).toEqual(created);
  });

  it('are created once: a second creation with the same id fails and changes nothing', async () => {
    const threadId = await newThread('acme', { metadata: { n: 1 } });
    const again = store.createThread(caller(), { threadId, metadata: { n: 2 } });
    await expect(again).rejects.toMatchObject({ code: 'already_exists' });
    expect((await store.getThread(caller(), threadId)).metadata).toEqual({ n: 1 });
  });

  it('need an id that is a UUID in lower case', async () => {
    const threadId = randomUUID();
    await expect(store.createThread(caller(), { threadId: 'a/b' })).rejects.toThrow(
      'thread_id is "a/b"; expected a UUID in lower case',
    );
    await expect(store.getThread(caller(), threadId.toUpperCase())).rejects.toMatchObject({ field: 'thread_id' });
    await expect(searchIds('acme', { ids: ['x'] })).rejects.toMatchObject({ code: 'invalid_argument', field: 'ids' });
  });

  it('are hidden from other tenants', async () => {
    const threadId = await newThread('ours', { metadata: { topic: 'x' } });
    await expect(store.getThread(caller('theirs'), threadId)).rejects.toMatchObject({ code: 'not_found' });
    await expect(store.updateThread(caller('theirs'), threadId, {})).rejects.toMatchObject({ code: 'not_found' });
    await expect(store.closeThread(caller('theirs'), threadId)).rejects.toMatchObject({ code: 'not_found' });
    await expect(store.createRun(caller('theirs'), newRun(threadId))).rejects.toMatchObject({ code: 'not_found' });
    expect(await searchIds('theirs', { metadata: { topic: 'x' } })).toEqual([]);
    expect(await searchIds('theirs', { ids: [threadId] })).toEqual([]);
    expect(await store.countThreads(caller('theirs'), { required: NOTHING_REQUIRED })).toBe(0);
    expect(await searchIds('ours', {})).toEqual([threadId]);
  });

  it('merge metadata key by key, even in concurrent updates', async () => {
    const threadId = await newThread('acme', { metadata: { kept: 1, replaced: 1 } });
    const { metadata } = await store.updateThread(caller(), threadId, { metadata: { replaced: 2, 'new.key': 3 } });
    expect(metadata).toEqual({ kept: 1, replaced: 2, 'new.key': 3 });
    const keys = Array.from({ length: 8 }, (_, index) => `k${index}`);
    await Promise.all(keys.map((key) => store.updateThread(caller(), threadId, { metadata: { [key]: key } })));
    const merged = (await store.getThread(caller(), threadId)).metadata;
    expect(keys.map((key) => merged[key])).toEqual(keys);
    expect(await searchIds('acme', { metadata: { 'new.key': 3, k7: 'k7' } })).toEqual([threadId]);
    expect(await searchIds('acme', { metadata: { replaced: 1 } })).toEqual([]);
  });
});

describe('searching threads', () => {
  it('matches whole values of metadata, also long values and values of keys with dots or dollars', async () => {
    const metadata = { 'graph.id': 'one', $kind: { b: [1, { y: 1, x: 2 }], a: null }, long: 'x'.repeat(5_000), n: 1 };
    const threadId = await newThread('search', { metadata });
    await newThread('search', { metadata: { 'graph.id': 'two', graph: { id: 'one' } } });
    for (const wanted of [
      { 'graph.id': 'one' },
      { $kind: { a: null, b: [1, { x: 2, y: 1 }] } },
      { long: 'x'.repeat(5_000) },
      { n: 1, 'graph.id': 'one' },
    ]) {
      expect(await searchIds('search', { metadata: wanted })).toEqual([threadId]);
    }
    for (const wanted of [{ 'graph.id': 'on' }, { n: '1' }, { n: 1, 'graph.id': 'two' }, { long: 'x'.repeat(5_001) }]) {
      expect(await searchIds('search', { metadata: wanted })).toEqual([]);
    }
    expect(await store.countThreads(caller('search'), { required: NOTHING_REQUIRED, metadata: { n: 1 } })).toBe(1);
    expect(await store.countThreads(caller('search'), { required: NOTHING_REQUIRED })).toBe(2);
  });

  it('returns only threads with the metadata that the query names and the metadata that auth filters require', async () => {
    const lists = [['a'], ['b', 'a'], ['b'], 'a', [['a']], { a: 1 }];
    const ids: string[] = [];
    for (const [n, list] of lists.entries())
      ids.push(await newThread('required', { metadata: { n, 'of.$': list, owner: n % 2 } }));
    const [onlyA, both, onlyB, text] = ids;
    await newThread('elsewhere', { metadata: { 'of.$': ['a'] } });
    for (const [required, wanted] of [
      [{ equal: {}, contains: { 'of.$': ['a'] } }, [onlyA, both]],
      [{ equal: {}, contains: { 'of.$': ['a', 'b'] } }, [both]],
      [{ equal: {}, contains: { 'of.$': [] } }, [onlyA, both, onlyB, ids[4]]],
      [{ equal: { owner: 1 }, contains: { 'of.$': ['a'] } }, [both]],
      [{ equal: { 'of.$': 'a' }, contains: {} }, [text]],
      [{ equal: { 'of.$': 'a' }, contains: { 'of.$': ['a'] } }, []],
    ] as const) {
      expect(await searchIds('required', { required, sortBy: 'created_at', sortOrder: 'asc' })).toEqual(wanted);
      expect(await store.countThreads(caller('required'), { required })).toBe(wanted.length);
    }
    const required = { equal: { owner: 1 }, contains: {} };
    expect(await searchIds('required', { required, metadata: { owner: 0 } })).toEqual([]);
    expect(await searchIds('required', { required, metadata: { n: 1 } })).toEqual([both]);
  });

  it('sorts the threads, applies limit and offset, and filters by status and ids', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 4; n += 1) ids.push(await newThread('sorted'));
    const [first = '', second = '', third = '', fourth = ''] = ids;
    const byId = [...ids].sort();
    expect(await searchIds('sorted', { sortBy: 'thread_id', sortOrder: 'asc' })).toEqual(byId);
    expect(await searchIds('sorted', { sortBy: 'thread_id', limit: 2, offset: 1 })).toEqual([byId[2], byId[1]]);
    await store.updateThread(caller('sorted'), second, { metadata: { touched: true } });
    expect((await searchIds('sorted', { sortBy: 'updated_at' }))[0]).toBe(second);
    const run = newRun(third);
    await store.createRun(caller('sorted'), run);
    await store.startRun(caller('sorted'), third, run.runId, runStart(0));
    expect(await searchIds('sorted', { status: 'busy' })).toEqual([third]);
    expect(await store.countThreads(caller('sorted'), { required: NOTHING_REQUIRED, status: 'idle' })).toBe(3);
    expect((await searchIds('sorted', { ids: [first, fourth, randomUUID()] })).sort()).toEqual([first, fourth].sort());
  });

  it('names an invalid limit or offset in the error', async () => {
    await expect(searchIds('acme', { limit: 0 })).rejects.toThrow('limit is 0; expected an integer from 1 to 1000');
    await expect(searchIds('acme', { offset: -1 })).rejects.toThrow('offset is -1; expected an integer from 0');
  });
});

describe('closing and deleting a thread', () => {
  it('a closed thread is hidden from every call, even before its data are removed', async () => {
    const threadId = await newThread('deleting');
    const run = newRun(threadId, { key: 'k' });
    await store.createRun(caller('deleting'), run);
    await store.admitRun(caller('deleting'), threadId, run.runId);
    await store.closeThread(caller('deleting'), threadId);
    await store.closeThread(caller('deleting'), threadId);
    const user = caller('deleting');
    const page = { limit: 10, offset: 0 };
    for (const call of [
      store.getThread(user, threadId),
      store.updateThread(user, threadId, { metadata: {} }),
      store.createRun(user, newRun(threadId)),
      store.admitRun(user, threadId, run.runId),
      store.getRun(user, threadId, run.runId),
      store.getRun(user, threadId, run.runId, { admittedOnly: false }),
      store.listRuns(user, threadId, page),
      store.activeRuns(user, threadId),
      store.startRun(user, threadId, run.runId, runStart(0)),
      store.endRun(user, threadId, runEnd(run.runId)),
    ]) {
      await expect(call).rejects.toMatchObject({ code: 'not_found' });
    }
    await expect(store.createThread(user, { threadId })).rejects.toMatchObject({ code: 'thread_closed' });
    expect(await searchIds('deleting', {})).toEqual([]);
    expect(await store.countThreads(user, { required: NOTHING_REQUIRED })).toBe(0);
  });

  it('the deletion removes record, runs and state of a closed thread, and can be repeated', async () => {
    const threadId = await newThread();
    await store.createRun(caller(), newRun(threadId));
    await expect(store.deleteThread(caller(), threadId)).rejects.toMatchObject({ code: 'conflict' });
    await store.closeThread(caller(), threadId);
    await store.deleteThread(caller(), threadId);
    await store.deleteThread(caller(), threadId);
    expect(stateRemoved.filter((key) => key === `acme/${threadId}`)).toHaveLength(2);
    expect(await db.collection('runs').countDocuments({ threadId })).toBe(0);
    expect(await db.collection('threads').countDocuments({ threadId })).toBe(0);
    await expect(store.closeThread(caller(), threadId)).rejects.toMatchObject({ code: 'not_found' });
    await newThread('acme', { threadId });
  });

  it('a close, copy or update that is meant for a deleted thread fails if a new thread has the same id', async () => {
    const user = caller();
    const threadId = await newThread();
    const before = await store.getThread(user, threadId);
    const replace = async () => {
      await store.closeThread(user, threadId, before);
      await store.deleteThread(user, threadId);
      await newThread('acme', { threadId, metadata: { of: 'ada' } });
    };
    const replacing = createThreadStore({ db, ...NO_STATE, copyState: replace });
    const copyId = randomUUID();
    const notFound = { code: 'not_found' };
    const copy = replacing.copyThread(user, threadId, { copyId, metadata: {}, source: before });
    await expect(copy).rejects.toMatchObject(notFound);
    await expect(store.getThread(user, copyId)).rejects.toMatchObject(notFound);
    const other = { copyId: randomUUID(), metadata: {}, source: before };
    await expect(store.copyThread(user, threadId, other)).rejects.toMatchObject(notFound);
    await expect(store.closeThread(user, threadId, before)).rejects.toMatchObject(notFound);
    const patched = store.updateThread(user, threadId, { metadata: { of: 'bob' } }, before);
    await expect(patched).rejects.toMatchObject(notFound);
    const after = await store.getThread(user, threadId);
    expect(after.metadata).toEqual({ of: 'ada' });
    await store.closeThread(user, threadId, after);
    // Without an identity, `closeThread` can close a thread twice. With an identity (here `after`),
    // it closes only an open thread, so the second call fails.
    await expect(store.closeThread(user, threadId, after)).rejects.toMatchObject(notFound);
  });

  it('the thread stays closed if its state could not be removed', async () => {
    const threadId = await newThread();
    const failing = createThreadStore({
      db,
      ...NO_STATE,
      removeState: async () => Promise.reject(new Error('disk full')),
    });
    await failing.closeThread(caller(), threadId);
    await expect(failing.deleteThread(caller(), threadId)).rejects.toThrow('disk full');
    await expect(store.createThread(caller(), { threadId })).rejects.toMatchObject({ code: 'thread_closed' });
    await store.deleteThread(caller(), threadId);
    await newThread('acme', { threadId });
  });
});
