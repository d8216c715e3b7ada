import { NOTHING_REQUIRED } from '../../../protocol/index.js';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MongoClient } from 'mongodb';
import { createThreadStore, ensureIndexes, type ThreadQuery } from '../../../threads/index.js';
import { NO_STATE, caller, begins, ended, newRun } from './support.js';

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

async function newThread(tenant = 'acme', given = {}): Promise<string> {
  return (await store.createThread(caller(tenant), { threadId: randomUUID(), ...given })).threadId;
}

async function found(tenant: string, query: Partial<ThreadQuery>): Promise<string[]> {
  return (
    await store.searchThreads(caller(tenant), { required: NOTHING_REQUIRED, limit: 10, offset: 0, ...query })
  ).map(({ threadId }) => threadId);
}

describe('threads', () => {
  it('are made idle and read as they were given, whatever their keys', async () => {
    const metadata = { 'a.b': 1, $set: { $x: ['y'] }, '': null };
    const config = { configurable: { 'model.name': '$m' } };
    const threadId = randomUUID();
    const made = await store.createThread(caller(), { threadId, metadata, config });
    expect(made).toEqual({
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
    expect(await store.getThread(caller(), threadId)).toEqual(made);
  });

  it('are made once: a second time is an error, or gives the first where asked for', async () => {
    const threadId = await newThread('acme', { metadata: { n: 1 } });
    await expect(store.createThread(caller(), { threadId })).rejects.toMatchObject({ code: 'already_exists' });
    const again = await store.createThread(caller(), { threadId, metadata: { n: 2 }, ifExists: 'do_nothing' });
    expect(again.metadata).toEqual({ n: 1 });
  });

  it('need a UUID', async () => {
    const threadId = randomUUID();
    await expect(store.createThread(caller(), { threadId: 'a/b' })).rejects.toThrow(
      'thread_id is "a/b"; expected a UUID in lower case',
    );
    await expect(store.getThread(caller(), threadId.toUpperCase())).rejects.toMatchObject({ field: 'thread_id' });
    await expect(found('acme', { ids: ['x'] })).rejects.toMatchObject({ code: 'invalid_argument', field: 'ids' });
  });

  it('are hidden from other tenants', async () => {
    const threadId = await newThread('ours', { metadata: { topic: 'x' } });
    await expect(store.getThread(caller('theirs'), threadId)).rejects.toMatchObject({ code: 'not_found' });
    await expect(store.updateThread(caller('theirs'), threadId, {})).rejects.toMatchObject({ code: 'not_found' });
    await expect(store.closeThread(caller('theirs'), threadId)).rejects.toMatchObject({ code: 'not_found' });
    await expect(store.createRun(caller('theirs'), newRun(threadId))).rejects.toMatchObject({ code: 'not_found' });
    expect(await found('theirs', { metadata: { topic: 'x' } })).toEqual([]);
    expect(await found('theirs', { ids: [threadId] })).toEqual([]);
    expect(await store.countThreads(caller('theirs'), { required: NOTHING_REQUIRED })).toBe(0);
    expect(await found('ours', {})).toEqual([threadId]);
  });

  it('merge metadata key by key, also when several do at once', async () => {
    const threadId = await newThread('acme', { metadata: { kept: 1, replaced: 1 } });
    const { metadata } = await store.updateThread(caller(), threadId, { metadata: { replaced: 2, 'new.key': 3 } });
    expect(metadata).toEqual({ kept: 1, replaced: 2, 'new.key': 3 });
    const keys = Array.from({ length: 8 }, (_, index) => `k${index}`);
    await Promise.all(keys.map((key) => store.updateThread(caller(), threadId, { metadata: { [key]: key } })));
    const merged = (await store.getThread(caller(), threadId)).metadata;
    expect(keys.map((key) => merged[key])).toEqual(keys);
    expect(await found('acme', { metadata: { 'new.key': 3, k7: 'k7' } })).toEqual([threadId]);
    expect(await found('acme', { metadata: { replaced: 1 } })).toEqual([]);
  });
});

describe('searching threads', () => {
  it('takes metadata as equal by key: dots, dollars, order of keys, long values', async () => {
    const metadata = { 'graph.id': 'one', $kind: { b: [1, { y: 1, x: 2 }], a: null }, long: 'x'.repeat(5_000), n: 1 };
    const threadId = await newThread('search', { metadata });
    await newThread('search', { metadata: { 'graph.id': 'two', graph: { id: 'one' } } });
    for (const wanted of [
      { 'graph.id': 'one' },
      { $kind: { a: null, b: [1, { x: 2, y: 1 }] } },
      { long: 'x'.repeat(5_000) },
      { n: 1, 'graph.id': 'one' },
    ]) {
      expect(await found('search', { metadata: wanted })).toEqual([threadId]);
    }
    for (const wanted of [{ 'graph.id': 'on' }, { n: '1' }, { n: 1, 'graph.id': 'two' }, { long: 'x'.repeat(5_001) }]) {
      expect(await found('search', { metadata: wanted })).toEqual([]);
    }
    expect(await store.countThreads(caller('search'), { required: NOTHING_REQUIRED, metadata: { n: 1 } })).toBe(1);
    expect(await store.countThreads(caller('search'), { required: NOTHING_REQUIRED })).toBe(2);
  });

  it('holds to what is required beside the metadata that are looked for', async () => {
    const lists = [['a'], ['b', 'a'], ['b'], 'a', [['a']], { a: 1 }];
    const ids: string[] = [];
    for (const [n, list] of lists.entries())
      ids.push(await newThread('required', { metadata: { n, 'of.$': list, owner: n % 2 } }));
    const [a, both, b, text] = ids;
    await newThread('elsewhere', { metadata: { 'of.$': ['a'] } });
    for (const [required, wanted] of [
      [{ equal: {}, contains: { 'of.$': ['a'] } }, [a, both]],
      [{ equal: {}, contains: { 'of.$': ['a', 'b'] } }, [both]],
      [{ equal: {}, contains: { 'of.$': [] } }, [a, both, b, ids[4]]],
      [{ equal: { owner: 1 }, contains: { 'of.$': ['a'] } }, [both]],
      [{ equal: { 'of.$': 'a' }, contains: {} }, [text]],
      [{ equal: { 'of.$': 'a' }, contains: { 'of.$': ['a'] } }, []],
    ] as const) {
      expect(await found('required', { required, sortBy: 'created_at', sortOrder: 'asc' })).toEqual(wanted);
      expect(await store.countThreads(caller('required'), { required })).toBe(wanted.length);
    }
    const required = { equal: { owner: 1 }, contains: {} };
    expect(await found('required', { required, metadata: { owner: 0 } })).toEqual([]);
    expect(await found('required', { required, metadata: { n: 1 } })).toEqual([both]);
  });

  it('sorts, pages, and takes status and ids', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 4; n += 1) ids.push(await newThread('sorted'));
    const [first = '', second = '', third = '', fourth = ''] = ids;
    const byId = [...ids].sort();
    expect(await found('sorted', { sortBy: 'thread_id', sortOrder: 'asc' })).toEqual(byId);
    expect(await found('sorted', { sortBy: 'thread_id', limit: 2, offset: 1 })).toEqual([byId[2], byId[1]]);
    await store.updateThread(caller('sorted'), second, { metadata: { touched: true } });
    expect((await found('sorted', { sortBy: 'updated_at' }))[0]).toBe(second);
    const run = newRun(third);
    await store.createRun(caller('sorted'), run);
    await store.startRun(caller('sorted'), third, run.runId, begins(0));
    expect(await found('sorted', { status: 'busy' })).toEqual([third]);
    expect(await store.countThreads(caller('sorted'), { required: NOTHING_REQUIRED, status: 'idle' })).toBe(3);
    expect((await found('sorted', { ids: [first, fourth, randomUUID()] })).sort()).toEqual([first, fourth].sort());
  });

  it('names a page that is none', async () => {
    await expect(found('acme', { limit: 0 })).rejects.toThrow('limit is 0; expected an integer from 1 to 1000');
    await expect(found('acme', { offset: -1 })).rejects.toThrow('offset is -1; expected an integer from 0');
  });
});

describe('deleting a thread', () => {
  it('hides it at once, from every call', async () => {
    const threadId = await newThread('deleting');
    const run = newRun(threadId, { key: 'k' });
    await store.createRun(caller('deleting'), run);
    await store.admitRun(caller('deleting'), threadId, run.runId);
    await store.closeThread(caller('deleting'), threadId);
    await store.closeThread(caller('deleting'), threadId);
    const who = caller('deleting');
    const page = { limit: 10, offset: 0 };
    for (const call of [
      store.getThread(who, threadId),
      store.updateThread(who, threadId, { metadata: {} }),
      store.createRun(who, newRun(threadId)),
      store.admitRun(who, threadId, run.runId),
      store.getRun(who, threadId, run.runId),
      store.getRun(who, threadId, run.runId, { admittedOnly: false }),
      store.listRuns(who, threadId, page),
      store.activeRuns(who, threadId),
      store.startRun(who, threadId, run.runId, begins(0)),
      store.endRun(who, threadId, ended(run.runId)),
    ]) {
      await expect(call).rejects.toMatchObject({ code: 'not_found' });
    }
    await expect(store.createThread(who, { threadId, ifExists: 'do_nothing' })).rejects.toMatchObject({
      code: 'thread_closed',
    });
    expect(await found('deleting', {})).toEqual([]);
    expect(await store.countThreads(who, { required: NOTHING_REQUIRED })).toBe(0);
  });

  it('removes records, runs and state, once closed, and may be repeated', async () => {
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

  it('touches only the very thread that was found, not one made anew under its id', async () => {
    const who = caller();
    const threadId = await newThread();
    const before = await store.getThread(who, threadId);
    const remake = async () => {
      await store.closeThread(who, threadId, before);
      await store.deleteThread(who, threadId);
      await newThread('acme', { threadId, metadata: { of: 'ada' } });
    };
    const copying = createThreadStore({ db, ...NO_STATE, copyState: remake });
    const copyId = randomUUID();
    const gone = { code: 'not_found' };
    const copy = copying.copyThread(who, threadId, { copyId, metadata: {}, source: before });
    await expect(copy).rejects.toMatchObject(gone);
    await expect(store.getThread(who, copyId)).rejects.toMatchObject(gone);
    const other = { copyId: randomUUID(), metadata: {}, source: before };
    await expect(store.copyThread(who, threadId, other)).rejects.toMatchObject(gone);
    await expect(store.closeThread(who, threadId, before)).rejects.toMatchObject(gone);
    const patched = store.updateThread(who, threadId, { metadata: { of: 'bob' } }, before);
    await expect(patched).rejects.toMatchObject(gone);
    const after = await store.getThread(who, threadId);
    expect(after.metadata).toEqual({ of: 'ada' });
    await store.closeThread(who, threadId, after);
    // One that is being deleted already is left to whoever deletes it.
    await expect(store.closeThread(who, threadId, after)).rejects.toMatchObject(gone);
  });

  it('keeps the thread closed when its state could not be removed', async () => {
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
