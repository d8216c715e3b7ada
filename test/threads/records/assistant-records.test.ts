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

describe('system assistants', () => {
  it('have the id that both official servers give the graph', () => {
    expect(systemAssistantId('one')).toBe('39a68923-35d8-56bc-9761-3a809a9e6a7f');
  });

  it('are made once for each graph, also by processes that start together', async () => {
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

  it('are found by id and by the name of their graph', async () => {
    await store.registerGraphs(caller('named'), [{ graphId: 'one' }]);
    const byName = await store.getAssistant(caller('named'), 'one');
    expect(await store.getAssistant(caller('named'), byName.assistantId)).toEqual(byName);
    await expect(store.getAssistant(caller('named'), 'three')).rejects.toThrow('assistant "three" does not exist');
    await expect(store.getAssistant(caller('nobody'), 'one')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('are searched by graph, metadata and part of the name, in pages', async () => {
    const who = caller('searching');
    await store.registerGraphs(
      who,
      ['Hiring', 'hiring.intake', 'research'].map((graphId) => ({ graphId })),
    );
    const names = async (query: object) => {
      const { assistants, total } = await store.searchAssistants(who, {
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

describe('assistants of users', () => {
  const who = caller('users');
  const fresh = (given: Partial<NewAssistant> = {}): NewAssistant => ({
    assistantId: randomUUID(),
    graphId: 'one',
    name: 'Mine',
    description: null,
    config: {},
    context: {},
    metadata: {},
    ...given,
  });
  const numbers = async (id: string, query: object = {}) =>
    (await store.listVersions(who, id, { ...page, ...query })).map(({ version }) => version);

  beforeAll(() => store.registerGraphs(who, [{ graphId: 'one', config: { tags: ['told'] } }, { graphId: 'two' }]));

  it('are made once under an id, whoever asks at the same time', async () => {
    const assistant = fresh({ config: { 'a.b': { $c: 1 } }, context: [1], metadata: { 'd.e': 1 } });
    const made = await Promise.allSettled(Array.from({ length: 5 }, () => store.createAssistant(who, assistant)));
    expect(made.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const found = await store.getAssistant(who, assistant.assistantId);
    expect(found).toMatchObject({ ...assistant, tenant: 'users', version: 1 });
    expect(await store.createAssistant(who, { ...assistant, name: 'Other', ifExists: 'do_nothing' })).toEqual(found);
    await expect(store.createAssistant(who, assistant)).rejects.toMatchObject({ code: 'already_exists' });
    await expect(store.createAssistant(who, fresh({ graphId: 'three' }))).rejects.toMatchObject({
      code: 'invalid_argument',
      message: 'graph_id is "three"; no such graph is served',
    });
    await expect(store.getAssistant(caller(), assistant.assistantId)).rejects.toMatchObject({ code: 'not_found' });
  });

  it('have a version for every change, also for changes at the same time', async () => {
    const { assistantId } = await store.createAssistant(who, fresh());
    const changes = Array.from({ length: 6 }, (_, n) =>
      store.updateAssistant(who, assistantId, { name: `name ${n}`, metadata: { [`key${n}`]: n } }),
    );
    const versions = (await Promise.all(changes)).map(({ version }) => version);
    expect(versions.sort()).toEqual([2, 3, 4, 5, 6, 7]);
    expect(await numbers(assistantId)).toEqual([7, 6, 5, 4, 3, 2, 1]);
    const { metadata } = await store.getAssistant(who, assistantId);
    expect(metadata).toEqual({ key0: 0, key1: 1, key2: 2, key3: 3, key4: 4, key5: 5 });
    expect(await numbers(assistantId, { limit: 2, offset: 1 })).toEqual([6, 5]);
  });

  it('keep each version as it was made, and go back to any', async () => {
    const first = await store.createAssistant(who, fresh({ config: { tags: ['a'] }, metadata: { stage: 'draft' } }));
    const id = first.assistantId;
    const second = await store.updateAssistant(who, id, {
      graphId: 'two',
      description: 'new',
      config: { tags: ['b'] },
      context: { c: 1 },
      metadata: { stage: 'done' },
    });
    expect(second.updatedAt.getTime()).toBeGreaterThan(first.updatedAt.getTime());
    const back = await store.setLatestVersion(who, id, 1, NOTHING_REQUIRED);
    expect(back).toEqual({ ...first, updatedAt: expect.any(Date) });
    expect(await store.getAssistant(who, id)).toEqual(back);
    const { updatedAt: made, ...secondAsMade } = second;
    expect(await store.listVersions(who, id, { ...page, limit: 1 })).toEqual([{ ...secondAsMade, createdAt: made }]);
    expect(await numbers(id, { metadata: { stage: 'draft' } })).toEqual([1]);
    const required = { equal: { stage: 'done' }, contains: {} };
    expect(await numbers(id, { required })).toEqual([2]);
    await expect(store.setLatestVersion(who, id, 1, required)).rejects.toMatchObject({ code: 'not_found' });
    expect((await store.updateAssistant(who, id, {})).version).toBe(3);
    await expect(store.setLatestVersion(who, id, 9, NOTHING_REQUIRED)).rejects.toMatchObject({
      code: 'not_found',
      message: `assistant ${id} has no version 9`,
    });
  });

  it('go with their versions', async () => {
    const assistant = fresh();
    const { assistantId: id } = await store.createAssistant(who, assistant);
    await store.updateAssistant(who, id, { name: 'second' });
    await store.deleteAssistant(who, id);
    for (const gone of [
      store.getAssistant(who, id),
      store.updateAssistant(who, id, {}),
      store.setLatestVersion(who, id, 1, NOTHING_REQUIRED),
      store.listVersions(who, id, page),
      store.deleteAssistant(who, id),
    ]) {
      await expect(gone).rejects.toMatchObject({ code: 'not_found' });
    }
    await store.createAssistant(who, assistant);
    expect(await numbers(id)).toEqual([1]);
  });

  it('of the system keep their graph, and are put back rather than deleted', async () => {
    const before = await store.getAssistant(who, 'one');
    expect(before.config).toEqual({ tags: ['told'] });
    await expect(store.updateAssistant(who, 'one', { graphId: 'two' })).rejects.toMatchObject({ code: 'conflict' });
    await store.updateAssistant(who, 'one', { graphId: 'one', config: {}, metadata: { created_by: 'me' } });
    await store.registerGraphs(who, [{ graphId: 'one' }]);
    expect(await store.getAssistant(who, 'one')).toMatchObject({ version: 2, metadata: { created_by: 'me' } });
    await store.deleteAssistant(who, 'one');
    expect(await store.getAssistant(who, 'one')).toEqual({ ...before, updatedAt: expect.any(Date) });
    expect(await numbers('one')).toEqual([1]);
  });
});
