import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { MongoClient } from 'mongodb';
import { DEFAULT_SCHEDULE_OPTIONS, NOTHING_REQUIRED } from '../../../protocol/index.js';
import { createCronStore, ensureIndexes, type NewCron } from '../../../threads/index.js';
import { caller } from './support.js';

const client = new MongoClient(process.env.COLLOQUY_TEST_MONGODB_URI ?? '');
const db = client.db(`test_cron_records_${process.pid}`);
const store = createCronStore({ db });
const page = { required: NOTHING_REQUIRED, limit: 10, offset: 0 };

beforeAll(async () => {
  await client.connect();
  await ensureIndexes(db);
});
afterAll(async () => {
  await db.dropDatabase();
  await client.close();
});

function newCron(overrides: Partial<NewCron> = {}): NewCron {
  return {
    cronId: randomUUID(),
    assistantId: '39a68923-35d8-56bc-9761-3a809a9e6a7f',
    schedule: '0 9 * * *',
    enabled: true,
    onRunCompleted: 'delete',
    payload: { input: { 'a.b': '$c' } },
    metadata: {},
    options: DEFAULT_SCHEDULE_OPTIONS,
    ...overrides,
  };
}

async function createSettled(tenant: string, overrides: Partial<NewCron> = {}, next?: Date) {
  const cron = await store.createCron(caller(tenant), newCron(overrides));
  await store.settleCron(caller(tenant), cron.cronId, cron.rev, next);
  return store.getCron(caller(tenant), cron.cronId);
}

describe('the record of a cron', () => {
  it('is hidden until its Temporal Schedule exists, and always hidden from other tenants', async () => {
    const next = new Date('2030-01-01T09:00:00Z');
    const created = await store.createCron(caller(), newCron({ threadId: randomUUID(), timezone: 'Europe/Berlin' }));
    await expect(store.getCron(caller(), created.cronId)).rejects.toMatchObject({ code: 'not_found' });
    expect(await store.searchCrons(caller(), page)).toEqual([]);
    expect(await store.getCron(caller(), created.cronId, { shownOnly: false })).toEqual(created);
    expect(await store.settleCron(caller(), created.cronId, 1, next)).toBe(true);
    expect(await store.getCron(caller(), created.cronId)).toEqual({ ...created, nextRunAt: next });
    expect(created.createdBy).toEqual({ kind: 'user', id: 'u1' });
    await expect(store.getCron(caller('other'), created.cronId)).rejects.toThrow(
      `cron ${created.cronId} does not exist`,
    );
  });

  it('keeps the auth filters of its creator, including operators such as $contains, until an update replaces or removes them', async () => {
    const user = caller('filtered');
    const filters = { threads: { owner: 'u1' }, assistants: { 'teams.all': { $contains: ['a'] } } };
    const { cronId } = await createSettled('filtered', { filters });
    expect((await store.getCron(user, cronId)).filters).toEqual(filters);
    expect((await store.updateCron(user, cronId, { enabled: false })).filters).toEqual(filters);
    const changed = await store.updateCron(user, cronId, { filters: { threads: { owner: 'u2' } } });
    expect(changed.filters).toEqual({ threads: { owner: 'u2' } });
    expect(await store.updateCron(user, cronId, { filters: null })).not.toHaveProperty('filters');
  });

  it('merges concurrent updates, and stays unsettled (its Schedule is outdated) until settleCron gets the newest revision', async () => {
    const user = caller('changing');
    const cron = await createSettled('changing', { endTime: new Date(0), metadata: { a: 1, b: 1 } });
    const patches = [{ metadata: { b: 2 } }, { payload: { context: { k: 1 } } }, { endTime: null, enabled: false }];
    await Promise.all(patches.map((patch) => store.updateCron(user, cron.cronId, patch)));
    const changed = await store.getCron(user, cron.cronId);
    expect(changed).toMatchObject({
      rev: 4,
      enabled: false,
      metadata: { a: 1, b: 2 },
      payload: { input: { 'a.b': '$c' }, context: { k: 1 } },
    });
    expect(changed.endTime).toBeUndefined();
    expect(await store.settleCron(user, cron.cronId, 3, undefined)).toBe(false);
    const soon = new Date(Date.now() + 60_000);
    expect(await store.unsettledCrons(user, soon, 10)).toEqual([{ cronId: cron.cronId, change: 'update' }]);
    expect(await store.unsettledCrons(user, cron.createdAt, 10)).toEqual([]);
    expect(await store.settleCron(user, cron.cronId, 4, undefined)).toBe(true);
    expect(await store.unsettledCrons(user, soon, 10)).toEqual([]);
    expect((await store.updateCron(user, cron.cronId, { payload: { input: null } })).payload).toEqual({
      context: { k: 1 },
    });
  });

  it('is hidden as soon as its deletion starts; starting the deletion a second time is no error', async () => {
    const user = caller('deleting');
    const { cronId } = await createSettled('deleting');
    await store.closeCron(user, cronId);
    await store.closeCron(user, cronId);
    await expect(store.getCron(user, cronId, { shownOnly: false })).rejects.toMatchObject({ code: 'not_found' });
    await expect(store.updateCron(user, cronId, {})).rejects.toMatchObject({ code: 'not_found' });
    expect(await store.settleCron(user, cronId, 3, undefined)).toBe(false);
    const soon = new Date(Date.now() + 60_000);
    expect(await store.unsettledCrons(user, soon, 10)).toEqual([{ cronId, change: 'delete' }]);
    await store.removeCron(user, cronId);
    await store.removeCron(user, cronId);
    await expect(store.closeCron(user, cronId)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('can be searched by assistant, thread, enabled flag and metadata, with sorting, limit and offset', async () => {
    const user = caller('searching');
    const [threadId, assistantId] = [randomUUID(), randomUUID()];
    const hourOfDay = (hour: number) => new Date(Date.UTC(2030, 0, 1, hour));
    const a = await createSettled('searching', { threadId, metadata: { team: 'x', tags: ['a', 'b'] } }, hourOfDay(3));
    const b = await createSettled('searching', { assistantId, metadata: { team: 'x' } }, hourOfDay(1));
    const c = await createSettled('searching', { enabled: false });
    const ids = async (query: object) =>
      (await store.searchCrons(user, { ...page, ...query })).map(({ cronId }) => cronId);
    const byId = [a.cronId, b.cronId, c.cronId].sort();
    expect(await ids({ sortBy: 'cron_id', sortOrder: 'asc' })).toEqual(byId);
    expect(await ids({ threadId })).toEqual([a.cronId]);
    expect(await ids({ assistantId })).toEqual([b.cronId]);
    expect(await ids({ enabled: false })).toEqual([c.cronId]);
    expect(await ids({ metadata: { team: 'x' }, sortBy: 'next_run_date', sortOrder: 'asc' })).toEqual([
      b.cronId,
      a.cronId,
    ]);
    expect(await ids({ sortBy: 'cron_id', limit: 1, offset: 1 })).toEqual([byId[1]]);
    expect(await ids({ metadata: { tags: ['b'] } })).toEqual([a.cronId]);
    expect(await store.countCrons(user, { required: NOTHING_REQUIRED, metadata: { team: 'x' } })).toBe(2);
    const required = { equal: { team: 'x' }, contains: { tags: ['b', 'a'] } };
    expect(await ids({ required })).toEqual([a.cronId]);
    expect(await ids({ required, enabled: false })).toEqual([]);
    expect(await store.countCrons(user, { required })).toBe(1);
    expect(await store.countCrons(user, { required: NOTHING_REQUIRED })).toBe(3);
  });
});
