import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Client } from '@langchain/langgraph-sdk';
import { ColloquyError } from '../../protocol/index.js';
import { ApiFixture, CHECKPOINT, stateWith } from '../support/api-server.js';

describe('a search for threads', () => {
  let api: ApiFixture;
  let url: string;
  let client: Client;

  beforeAll(async () => {
    api = await ApiFixture.start('api_thread_search');
    url = await api.listen();
    client = api.client(url);
  });
  afterAll(() => api.stop());

  async function withStates(group: string, states: Record<string, unknown>[]): Promise<string[]> {
    const ids: string[] = [];
    for (const values of states) {
      const { thread_id } = await client.threads.create({ metadata: { group }, graphId: 'echo' });
      api.states.states.set(thread_id, stateWith(thread_id, values));
      ids.push(thread_id);
    }
    return ids;
  }

  const idsOf = (threads: { thread_id: string }[]) => threads.map(({ thread_id }) => thread_id);

  it('finds threads by nested metadata', async () => {
    const group = randomUUID();
    const metadata = { group, user: { id: 'u1', team: { name: 'red' } }, tags: ['a', 'b'], none: null };
    const { thread_id } = await client.threads.create({ metadata });
    const found = async (asked: object) => idsOf(await client.threads.search({ metadata: { group, ...asked } }));
    for (const asked of [
      { user: { id: 'u1' } },
      { user: { team: { name: 'red' } } },
      { user: {} },
      { tags: ['b'] },
      { tags: [] },
      { none: null },
    ]) {
      expect([asked, await found(asked)]).toEqual([asked, [thread_id]]);
    }
    for (const asked of [
      { user: { id: 'u2' } },
      { user: { name: 'red' } },
      { user: 'u1' },
      { tags: ['c'] },
      { tags: {} },
      { none: 1 },
    ]) {
      expect([asked, await found(asked)]).toEqual([asked, []]);
    }
    expect(await client.threads.count({ metadata: { group, user: { id: 'u1' } } })).toBe(1);
  });

  it('finds threads by values of their state, in pages', async () => {
    const group = randomUUID();
    const ids = await withStates(
      group,
      Array.from({ length: 7 }, (_, n) => ({ odd: n % 2 === 1, at: { n, place: 'x' }, list: [{ n }, 'y'] })),
    );
    const odd = ids.filter((_, n) => n % 2 === 1).reverse();
    const query = { metadata: { group }, values: { odd: true } };
    expect(idsOf(await client.threads.search(query))).toEqual(odd);
    expect(await client.threads.count(query)).toBe(3);
    expect(idsOf(await client.threads.search({ ...query, limit: 2 }))).toEqual(odd.slice(0, 2));
    expect(idsOf(await client.threads.search({ ...query, limit: 2, offset: 2 }))).toEqual(odd.slice(2));
    const page = await post('/threads/search', { ...query, limit: 2 });
    expect([page.headers.get('X-Pagination-Next'), page.headers.get('X-Pagination-Total')]).toEqual(['2', '3']);
    const last = await post('/threads/search', { ...query, limit: 2, offset: 2 });
    expect([last.headers.get('X-Pagination-Next'), last.headers.get('X-Pagination-Total')]).toEqual([null, '3']);
    expect(idsOf(await client.threads.search({ metadata: { group }, values: { at: { n: 4 } } }))).toEqual([ids[4]]);
    expect(idsOf(await client.threads.search({ metadata: { group }, values: { list: [{ n: 5 }] } }))).toEqual([ids[5]]);
    expect(await client.threads.search({ metadata: { group }, values: { other: null } })).toEqual([]);
    expect(await client.threads.count({ metadata: { group }, values: { other: null } })).toBe(0);
  });

  it('combines ids, status and values of the state, and returns the total number of threads with each page', async () => {
    const group = randomUUID();
    const ids = await withStates(group, [{ a: 1 }, { a: 1 }, { a: 2 }]);
    expect(idsOf(await client.threads.search({ ids: ids.slice(1), values: { a: 1 }, status: 'idle' }))).toEqual([
      ids[1],
    ]);
    expect(await client.threads.search({ ids, values: { a: 1 }, status: 'busy' })).toEqual([]);
    const page = await post('/threads/search', { ids, limit: 1 });
    expect(page.headers.get('X-Pagination-Total')).toBe('3');
  });

  it('extracts the values at the requested paths from each thread', async () => {
    const group = randomUUID();
    await withStates(group, [{ messages: [{ content: 'hi' }, { content: 'bye', id: 'm2' }] }]);
    const extract = {
      last: 'values.messages[-1].content',
      first: 'values.messages[0]',
      group: 'metadata.group',
      none: 'values.messages[7].content',
      text: 'values.messages[0].content.length',
      all: 'interrupts',
    };
    const [found] = await client.threads.search({ metadata: { group }, extract, select: ['thread_id'] });
    expect(found).toEqual({
      thread_id: expect.any(String) as unknown,
      extracted: { last: 'bye', first: { content: 'hi' }, group, none: null, text: null, all: {} },
    });
  });

  it('returns only the selected fields of threads and of their state', async () => {
    const group = randomUUID();
    await withStates(group, [{ a: 1, b: 2 }]);
    const select = ['status', 'values.b'] as never;
    expect(await client.threads.search({ metadata: { group }, select })).toEqual([
      { status: 'idle', values: { b: 2 } },
    ]);
  });

  it('sorts threads by the time of the last change of their state', async () => {
    const group = randomUUID();
    const ids = await withStates(group, [{}, {}, {}]);
    await client.threads.updateState(ids[1] ?? '', { values: {} });
    await client.threads.update(ids[0] ?? '', { metadata: { touched: true } });
    const found = await client.threads.search({ metadata: { group }, sortBy: 'state_updated_at' });
    expect(idsOf(found)).toEqual([ids[1], ids[2], ids[0]]);
    const byUpdate = await client.threads.search({ metadata: { group }, sortBy: 'updated_at' });
    expect(idsOf(byUpdate)).toEqual([ids[0], ids[1], ids[2]]);
  });

  it('returns a thread without state if its graph is no longer served', async () => {
    const { thread_id } = await client.threads.create({ graphId: 'echo' });
    api.states.failure = { code: 'graph_failed', threadId: thread_id };
    const [found] = await client.threads.search({ ids: [thread_id] });
    expect(found).toMatchObject({ thread_id, values: null });
  });

  it('lists a thread whose state cannot be read, and reports the error to the operator once', async () => {
    const group = randomUUID();
    const [broken = '', whole = ''] = await withStates(group, [{ a: 1 }, { a: 1 }]);
    const errors = [new Error('Invalid namespace: secret'), new TypeError('secret'), 'secret', undefined];
    for (const error of errors) {
      api.states.failure = { error, threadId: broken };
      const found = await client.threads.search({ metadata: { group }, sortOrder: 'asc' });
      expect(found.map(({ thread_id, values }) => [thread_id, values])).toEqual([
        [broken, null],
        [whole, { a: 1 }],
      ]);
      expect(await client.threads.count({ metadata: { group }, values: { a: 1 } })).toBe(1);
      expect((await client.threads.get(broken)).values).toBeNull();
    }
    const told = api.errors.map(String).filter((text) => text.includes(broken));
    expect(told).toEqual([`ColloquyError: the state of thread ${broken} cannot be read (Error)`]);
    for (const path of ['state', `state/${CHECKPOINT}`, 'history']) {
      const response = await fetch(`${url}/threads/${broken}/${path}`);
      const text = await response.text();
      const expected = `the state of thread ${broken} cannot be read (undefined)`;
      expect([path, response.status, text]).toEqual([path, 500, expected]);
    }
  });

  it('fails during an outage instead of returning threads without their states', async () => {
    const group = randomUUID();
    const [threadId = ''] = await withStates(group, [{ a: 1 }]);
    const cut = Object.assign(new Error('read'), { code: 'ECONNRESET' });
    for (const [error, status] of [
      [new ColloquyError('unavailable', 'no database'), 503],
      [new ColloquyError('forbidden', 'not yours'), 403],
      [cut, 500],
    ] as const) {
      api.states.failure = { error, threadId };
      expect((await post('/threads/search', { metadata: { group } })).status).toBe(status);
      expect((await fetch(`${url}/threads/${threadId}`)).status).toBe(status);
      expect((await fetch(`${url}/threads/${threadId}/state`)).status).toBe(status);
    }
  });

  function post(path: string, body: unknown): Promise<Response> {
    return fetch(`${url}${path}`, { method: 'POST', body: JSON.stringify(body) });
  }
});
