import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MongoClient } from 'mongodb';
import { createAssistantStore, ensureIndexes, systemAssistantId } from '../../threads/index.js';
import { caller } from './records-support.js';

const client = new MongoClient(process.env.COLLOQUY_TEST_MONGODB_URI ?? '');
const db = client.db(`test_assistant_records_${process.pid}`);
const store = createAssistantStore({ db, authorize: async () => undefined });
const page = { limit: 10, offset: 0 };

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
    expect(await names({ graphId: 'research' })).toEqual([['research'], 1]);
    expect(await names({ name: 'HIRING' })).toEqual([['Hiring', 'hiring.intake'], 2]);
    expect(await names({ name: 'g.i' })).toEqual([['hiring.intake'], 1]);
    expect(await names({ name: '.*' })).toEqual([[], 0]);
    expect(await names({ limit: 1, offset: 1 })).toEqual([['hiring.intake'], 3]);
  });
});
