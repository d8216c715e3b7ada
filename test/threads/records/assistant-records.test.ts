import { NOTHING_REQUIRED } from '../../../protocol/index.js';
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MongoClient } from 'mongodb';
import { createAssistantStore, ensureIndexes, systemAssistantId, type NewAssistant } from '../../../threads/index.js';
import { caller } from './support.js';

const client = new MongoClient(process.env.COLLOQUY_TEST_MONGODB_URI ?? '');
const db = client.db(`test_assistant_records_${process.pid}`);
const store = createAssistantStore({ db });
const page = { required: NOTHING_REQUIRED, limit: 10, offset: 0 };

beforeAll(async () => {
  await client.connect();
  await ensureIndexes(db);
});
afterAll(async () => {
  await db.dropDatabase();
  await client.close();
});

describe('system assistants, one for each graph', () => {
  it('have the same ids as on LangGraph’s own servers', () => {
    expect(systemAssistantId('one')).toBe('39a68923-35d8-56bc-9761-3a809a9e6a7f');
  });

  it('are created once for each graph, even if several processes register the same graphs at the same time', async () => {
    const graphs = [{ graphId: 'one', description: 'The first' }, { graphId: 'two' }];
    await Promise.all(Array.from({ length: 5 }, () => store.registerGraphs(caller(), graphs)));
    await store.registerGraphs(caller(), []);
    const { assistants, total } = await store.searchAssistants(caller(), {
      ...page,
      sortBy: 'graph_id',
      sortOrder: 'asc',
    });
    expect(total).toBe(2);
    expect(assistants).toEqual([
      {
        tenant: 'acme',
        assistantId: '39a68923-35d8-56bc-9761-3a809a9e6a7f',
        graphId: 'one',
        name: 'one',
        description: 'The first',
        config: {},
        context: {},
        metadata: { created_by: 'system' },
        version: 1,
        isSystem: true,
        createdAt: expect.any(Date),
        updatedAt: expect.any(Date),
      },
      expect.objectContaining({ graphId: 'two', description: null }),
    ]);
  });

  it('can be read by id and by graph name', async () => {
    await store.registerGraphs(caller('named'), [{ graphId: 'one' }]);
    const byName = await store.getAssistant(caller('named'), 'one');
    expect(await store.getAssistant(caller('named'), byName.assistantId)).toEqual(byName);
    await expect(store.getAssistant(caller('named'), 'three')).rejects.toThrow('assistant "three" does not exist');
    await expect(store.getAssistant(caller('nobody'), 'one')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('can be searched by graph, metadata and part of the name, with limit and offset', async () => {
    const user = caller('searching');
    await store.registerGraphs(
      user,
      ['Hiring', 'hiring.intake', 'research'].map((graphId) => ({ graphId })),
    );
    const names = async (query: object) => {
      const { assistants, total } = await store.searchAssistants(user, {
        ...page,
        sortBy: 'name',
        sortOrder: 'asc',
        ...query,
      });
      return [assistants.map(({ name }) => name), total];
    };
    expect(await names({ metadata: { created_by: 'system' } })).toEqual([['Hiring', 'hiring.intake', 'research'], 3]);
    expect(await names({ metadata: { created_by: 'user' } })).toEqual([[], 0]);
    const required = { equal: { created_by: 'system' }, contains: {} };
    expect(await names({ required, name: 'hiring' })).toEqual([['Hiring', 'hiring.intake'], 2]);
    expect(await names({ required, metadata: { created_by: 'user' } })).toEqual([[], 0]);
    expect(await names({ required: { ...required, contains: { created_by: ['system'] } } })).toEqual([[], 0]);
    expect(await names({ graphId: 'research' })).toEqual([['research'], 1]);
    expect(await names({ name: 'HIRING' })).toEqual([['Hiring', 'hiring.intake'], 2]);
    expect(await names({ name: 'g.i' })).toEqual([['hiring.intake'], 1]);
    expect(await names({ name: '.*' })).toEqual([[], 0]);
    expect(await names({ limit: 1, offset: 1 })).toEqual([['hiring.intake'], 3]);
  });
});

describe('creating, changing and deleting assistants', () => {
  const user = caller('users');
  const newAssistant = (overrides: Partial<NewAssistant> = {}): NewAssistant => ({
    assistantId: randomUUID(),
    graphId: 'one',
    name: 'Mine',
    description: null,
    config: {},
    context: {},
    metadata: {},
    ...overrides,
  });
  const numbers = async (id: string, query: object = {}) =>
    (await store.listVersions(user, id, { ...page, ...query })).map(({ version }) => version);

  beforeAll(() => store.registerGraphs(user, [{ graphId: 'one', config: { tags: ['initial'] } }, { graphId: 'two' }]));

  it('creates one assistant for each id, even if the calls are concurrent', async () => {
    const assistant = newAssistant({ config: { 'a.b': { $c: 1 } }, context: [1], metadata: { 'd.e': 1 } });
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => store.createAssistant(user, assistant)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const found = await store.getAssistant(user, assistant.assistantId);
    expect(found).toMatchObject({ ...assistant, tenant: 'users', version: 1 });
    expect(await store.createAssistant(user, { ...assistant, name: 'Other', ifExists: 'do_nothing' })).toEqual(found);
    await expect(store.createAssistant(user, assistant)).rejects.toMatchObject({ code: 'already_exists' });
    await expect(store.createAssistant(user, newAssistant({ graphId: 'three' }))).rejects.toMatchObject({
      code: 'invalid_argument',
      message: 'graph_id is "three"; no such graph is served',
    });
    await expect(store.getAssistant(caller(), assistant.assistantId)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('creates a new version for each change, even if the changes are concurrent', async () => {
    const { assistantId } = await store.createAssistant(user, newAssistant());
    const changes = Array.from({ length: 6 }, (_, n) =>
      store.updateAssistant(user, assistantId, { name: `name ${n}`, metadata: { [`key${n}`]: n } }),
    );
    const versions = (await Promise.all(changes)).map(({ version }) => version);
    expect(versions.sort()).toEqual([2, 3, 4, 5, 6, 7]);
    expect(await numbers(assistantId)).toEqual([7, 6, 5, 4, 3, 2, 1]);
    const { metadata } = await store.getAssistant(user, assistantId);
    expect(metadata).toEqual({ key0: 0, key1: 1, key2: 2, key3: 3, key4: 4, key5: 5 });
    expect(await numbers(assistantId, { limit: 2, offset: 1 })).toEqual([6, 5]);
  });

  it('never changes a stored version, and can make each version the current one again', async () => {
    const first = await store.createAssistant(
      user,
      newAssistant({ config: { tags: ['a'] }, metadata: { stage: 'draft' } }),
    );
    const id = first.assistantId;
    const second = await store.updateAssistant(user, id, {
      graphId: 'two',
      description: 'new',
      config: { tags: ['b'] },
      context: { c: 1 },
      metadata: { stage: 'done' },
    });
    expect(second.updatedAt.getTime()).toBeGreaterThan(first.updatedAt.getTime());
    const back = await store.setLatestVersion(user, id, 1, NOTHING_REQUIRED);
    expect(back).toEqual({ ...first, updatedAt: expect.any(Date) });
    expect(await store.getAssistant(user, id)).toEqual(back);
    const { updatedAt: createdAt, ...secondVersion } = second;
    expect(await store.listVersions(user, id, { ...page, limit: 1 })).toEqual([{ ...secondVersion, createdAt }]);
    expect(await numbers(id, { metadata: { stage: 'draft' } })).toEqual([1]);
    const required = { equal: { stage: 'done' }, contains: {} };
    expect(await numbers(id, { required })).toEqual([2]);
    await expect(store.setLatestVersion(user, id, 1, required)).rejects.toMatchObject({ code: 'not_found' });
    expect((await store.updateAssistant(user, id, {})).version).toBe(3);
    await expect(store.setLatestVersion(user, id, 9, NOTHING_REQUIRED)).rejects.toMatchObject({
      code: 'not_found',
      message: `assistant ${id} has no version 9`,
    });
  });

  it('deletes an assistant with all its versions', async () => {
    const assistant = newAssistant();
    const { assistantId: id } = await store.createAssistant(user, assistant);
    await store.updateAssistant(user, id, { name: 'second' });
    await store.deleteAssistant(user, id);
    for (const call of [
      store.getAssistant(user, id),
      store.updateAssistant(user, id, {}),
      store.setLatestVersion(user, id, 1, NOTHING_REQUIRED),
      store.listVersions(user, id, page),
      store.deleteAssistant(user, id),
    ]) {
      await expect(call).rejects.toMatchObject({ code: 'not_found' });
    }
    await store.createAssistant(user, assistant);
    expect(await numbers(id)).toEqual([1]);
  });

  it('refuses a new graph for a system assistant, and resets the assistant to its first version instead of deleting it', async () => {
    const before = await store.getAssistant(user, 'one');
    expect(before.config).toEqual({ tags: ['initial'] });
    await expect(store.updateAssistant(user, 'one', { graphId: 'two' })).rejects.toMatchObject({ code: 'conflict' });
    await store.updateAssistant(user, 'one', { graphId: 'one', config: {}, metadata: { created_by: 'me' } });
    await store.registerGraphs(user, [{ graphId: 'one' }]);
    expect(await store.getAssistant(user, 'one')).toMatchObject({ version: 2, metadata: { created_by: 'me' } });
    await store.deleteAssistant(user, 'one');
    expect(await store.getAssistant(user, 'one')).toEqual({ ...before, updatedAt: expect.any(Date) });
    expect(await numbers('one')).toEqual([1]);
  });
});
