import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Client } from '@langchain/langgraph-sdk';
import { ANONYMOUS_CALLER, ApiFixture, CHECKPOINT, stateWith } from '../support/api-server.js';
import { newGate } from '../support/gate.js';
import { untilAborted } from '../support/scripted-conversations.js';

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

describe('the API of threads and assistants', () => {
  let api: ApiFixture;
  let url: string;
  let client: Client;

  beforeAll(async () => {
    api = await ApiFixture.start('api_threads');
    url = await api.listen();
    client = api.client(url);
  });
  afterAll(() => api.stop());

  it('answers the health check and reports the version of the server', async () => {
    expect(await get('/ok')).toEqual({ ok: true });
    expect(await get('/info')).toMatchObject({
      version: '0.0.0',
      langgraph_js_version: '1.7.3',
      context: 'js',
      flags: { assistants: true, crons: true },
    });
  });

  it('finds assistants by id, by graph name and by search', async () => {
    const [assistant] = await client.assistants.search({ graphId: 'echo' });
    expect(assistant).toMatchObject({ graph_id: 'echo', name: 'echo', metadata: { created_by: 'system' }, version: 1 });
    expect(await client.assistants.get(assistant?.assistant_id ?? '')).toEqual(assistant);
    expect(await client.assistants.get('echo')).toEqual(assistant);
    await expect(client.assistants.get('nobody')).rejects.toThrow('HTTP 404: Assistant not found');
    expect(await client.assistants.count()).toBe(2);
    const page = await client.assistants.search({
      limit: 1,
      includePagination: true,
      sortBy: 'name',
      sortOrder: 'asc',
    });
    expect([page.assistants.map((one) => one.name), page.next]).toEqual([['echo'], '1']);
    const last = await client.assistants.search({ limit: 1, offset: 1, includePagination: true });
    expect(last.next).toBeNull();
    expect(await client.assistants.search({ metadata: { created_by: 'system' }, select: ['graph_id'] })).toContainEqual(
      {
        graph_id: 'echo',
      },
    );
  });

  it('gives the system assistant of a graph an id that depends only on the graph', async () => {
    await api.stores.assistants.registerGraphs(ANONYMOUS_CALLER, [{ graphId: 'one' }]);
    expect((await client.assistants.get('one')).assistant_id).toBe('39a68923-35d8-56bc-9761-3a809a9e6a7f');
  });

  it('creates threads, but only one for each id', async () => {
    const thread = await client.threads.create({ metadata: { user: 'u1' } });
    expect(thread).toMatchObject({
      metadata: { user: 'u1' },
      status: 'idle',
      values: null,
      interrupts: {},
      error: null,
    });
    expect(thread.created_at).toMatch(ISO);
    const { thread_id: threadId } = thread;
    await expect(client.threads.create({ threadId })).rejects.toThrow('HTTP 409: Thread already exists');
    expect((await client.threads.create({ threadId, ifExists: 'do_nothing' })).metadata).toEqual({ user: 'u1' });
    const upper = randomUUID().toUpperCase();
    expect((await client.threads.create({ threadId: upper })).thread_id).toBe(upper.toLowerCase());
    expect((await client.threads.get(upper)).thread_id).toBe(upper.toLowerCase());
  });

  it('merges new metadata into a thread, and answers without a body if the client asks for that', async () => {
    const { thread_id } = await client.threads.create({ metadata: { a: 1, b: 1 } });
    expect((await client.threads.update(thread_id, { metadata: { b: 2 } })).metadata).toEqual({ a: 1, b: 2 });
    expect(await client.threads.update(thread_id, { metadata: { c: 3 }, returnMinimal: true })).toBeUndefined();
    expect((await client.threads.get(thread_id)).metadata).toEqual({ a: 1, b: 2, c: 3 });
  });

  it('searches threads, returns them with their state, and counts them', async () => {
    const group = randomUUID();
    const ids: string[] = [];
    for (let n = 0; n < 3; n += 1) {
      const { thread_id } = await client.threads.create({ metadata: { group, n }, graphId: 'echo' });
      ids.push(thread_id);
      api.states.states.set(thread_id, stateWith(thread_id, { n }));
    }
    const found = await client.threads.search({ metadata: { group }, sortBy: 'created_at', sortOrder: 'asc' });
    expect(found.map(({ thread_id, values }) => [thread_id, values])).toEqual(ids.map((id, n) => [id, { n }]));
    expect(await client.threads.count({ metadata: { group } })).toBe(3);
    const page = await post('/threads/search', { metadata: { group }, limit: 2 });
    expect([page.headers.get('X-Pagination-Total'), page.headers.get('X-Pagination-Next')]).toEqual(['3', '2']);
    const rest = await post('/threads/search', { metadata: { group }, limit: 2, offset: 2 });
    expect([rest.headers.get('X-Pagination-Total'), rest.headers.get('X-Pagination-Next')]).toEqual(['3', null]);
    const after = await post('/threads/search', { metadata: { group }, limit: 2, offset: 50 });
    expect([after.headers.get('X-Pagination-Total'), await after.json()]).toEqual(['3', []]);
    expect(await client.threads.search({ ids: ids.slice(0, 1), select: ['thread_id'] })).toEqual([
      { thread_id: ids[0] },
    ]);
    expect(await client.threads.search({ metadata: { group }, status: 'busy' })).toEqual([]);
  });

  it('shows an interrupted thread with its interrupts, and finds it by its status', async () => {
    const gate = newGate();
    api.conversations.script = async () => {
      await gate.opened;
      return { interrupts: { task: [{ id: 'i1', value: 'send it?' }] } };
    };
    const { thread_id } = await client.threads.create();
    const stream = client.runs.stream(thread_id, 'echo', { input: {} });
    await stream.next();
    gate.open();
    for await (const _part of stream);
    const thread = await client.threads.get(thread_id);
    expect(thread.status).toBe('interrupted');
    expect(thread.interrupts).toEqual({ task: [{ id: 'i1', value: 'send it?' }] });
    const waiting = await client.threads.search({ status: 'interrupted', ids: [thread_id] });
    expect(waiting).toHaveLength(1);
  });

  it('reads all or some fields of the newest state and of a checkpoint', async () => {
    const { thread_id } = await client.threads.create({ graphId: 'echo' });
    expect((await client.threads.getState(thread_id)).values).toEqual({});
    const state = stateWith(thread_id, { messages: ['hi'], secret: 1 });
    api.states.states.set(thread_id, state);
    expect(await client.threads.getState(thread_id)).toEqual(state);
    const part = await client.threads.getState(thread_id, undefined, { select: ['values.messages', 'next'] });
    expect(part).toEqual({ values: { messages: ['hi'] }, next: [] });
    await client.threads.getState(thread_id, CHECKPOINT, { subgraphs: true });
    expect(api.states.requests.at(-1)).toEqual({ checkpoint: { checkpointId: CHECKPOINT }, subgraphs: true });
    await client.threads.getState(thread_id, {
      thread_id,
      checkpoint_id: CHECKPOINT,
      checkpoint_ns: 'child:1',
      checkpoint_map: {},
    });
    expect(api.states.requests.at(-1)).toEqual({
      checkpoint: { checkpointId: CHECKPOINT, checkpointNs: 'child:1', checkpointMap: {} },
    });
  });

  it('reads the history of a thread', async () => {
    const { thread_id } = await client.threads.create({ graphId: 'echo' });
    const state = stateWith(thread_id, { n: 1 });
    api.states.states.set(thread_id, state);
    expect(await client.threads.getHistory(thread_id)).toEqual([state]);
    const before = { configurable: { checkpoint_id: CHECKPOINT } };
    await client.threads.getHistory(thread_id, { limit: 3, before, metadata: { step: 1 } });
    const asked = { limit: 3, before: { checkpointId: CHECKPOINT }, metadata: { step: 1 } };
    expect(api.states.requests.at(-1)).toEqual(asked);
    expect(await get(`/threads/${thread_id}/history?limit=3&before=${CHECKPOINT}`)).toEqual([state]);
    expect(api.states.requests.at(-1)).toEqual({ limit: 3, before: { checkpointId: CHECKPOINT } });
  });

  it('edits the state of a thread as a given node, but only if the thread is idle and has a graph', async () => {
    const { thread_id } = await client.threads.create();
    await expect(client.threads.updateState(thread_id, { values: {} })).rejects.toThrow('has no graph ID');
    await client.threads.update(thread_id, { metadata: { graph_id: 'echo' } });
    const updated = await client.threads.updateState(thread_id, { values: { a: 1 }, asNode: 'agent' });
    expect(updated.configurable).toMatchObject({ thread_id, checkpoint_id: CHECKPOINT });
    expect(api.states.requests).toContainEqual({ values: { a: 1 }, asNode: 'agent' });
    await client.threads.updateState(thread_id, { values: null, asNode: '__end__' } as never);
    expect(api.states.requests).toContainEqual({ values: null, asNode: '__end__' });

    api.conversations.script = untilAborted;
    const run = await client.runs.create(thread_id, 'echo', { input: {} });
    await expect(client.threads.updateState(thread_id, { values: {} })).rejects.toThrow('HTTP 409: Thread is busy');
    await client.runs.cancel(thread_id, run.run_id, true);
  });

  it('deletes a thread with all its data, also while a run is active', async () => {
    api.conversations.script = async (turn) => {
      await turn.writeEvent('values', {});
      await untilAborted(turn);
    };
    const { thread_id } = await client.threads.create();
    const run = await client.runs.create(thread_id, 'echo', { input: {} });
    await client.threads.delete(thread_id);
    expect(api.conversations.closed).toContain(thread_id);
    await expect(client.threads.get(thread_id)).rejects.toThrow(`HTTP 404: Thread with ID ${thread_id} not found`);
    await expect(client.runs.get(thread_id, run.run_id)).rejects.toThrow('HTTP 404: Run not found');
    await expect(client.threads.delete(thread_id)).rejects.toThrow('HTTP 404');
    expect(await api.stores.events.tail(ANONYMOUS_CALLER, thread_id)).toBe(0);
    expect((await client.threads.create({ threadId: thread_id })).values).toBeNull();
  });

  it('answers 404 for missing records and unknown paths', async () => {
    const id = randomUUID();
    const paths = [
      `/threads/${id}`,
      `/threads/${id}/state`,
      `/threads/${id}/history`,
      `/threads/${id}/runs`,
      '/nowhere',
    ];
    for (const path of paths) {
      const response = await fetch(`${url}${path}`);
      expect([path, response.status]).toEqual([path, 404]);
      expect(response.headers.get('Content-Type')).toBe('text/plain; charset=utf-8');
      expect(await response.text()).toContain(path === '/nowhere' ? 'GET /nowhere' : id);
    }
  });

  async function get(path: string): Promise<unknown> {
    return (await fetch(`${url}${path}`)).json();
  }

  function post(path: string, body: unknown): Promise<Response> {
    return fetch(`${url}${path}`, { method: 'POST', body: JSON.stringify(body) });
  }
});
