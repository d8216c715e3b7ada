import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Client, Config } from '@langchain/langgraph-sdk';
import { ANONYMOUS_CALLER, ApiFixture } from '../support/api-server.js';

/**
 * Timeout of a test for which TypeScript reads source code. The compiler checks all types of
 * LangChain, which is slow on a busy machine.
 */
const SOURCE_TIMEOUT_MS = 240_000;

let api: ApiFixture;
let url: string;
let client: Client;

beforeAll(async () => {
  api = await ApiFixture.start('test_api_assistants');
  const graphs = ['typed', 'checked', 'made', 'untyped'].map((graphId) => ({ graphId }));
  await api.stores.assistants.registerGraphs(ANONYMOUS_CALLER, graphs);
  url = await api.listen();
  client = api.client(url);
});
afterAll(() => api.stop());

async function send(method: string, path: string, body?: unknown): Promise<[number, string]> {
  const response = await fetch(`${url}${path}`, {
    method,
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return [response.status, await response.text()];
}

describe('an assistant', () => {
  it('can be created with all fields, read, and found by a search', async () => {
    const made = await client.assistants.create({
      graphId: 'echo',
      name: 'Careful',
      description: 'Asks twice',
      config: { tags: ['t'], recursion_limit: 7, configurable: { model: 'large' } },
      context: { tone: 'calm' },
      metadata: { team: 'hiring', labels: { b: 2, a: 1 } },
    });
    expect(made).toEqual({
      assistant_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
      graph_id: 'echo',
      name: 'Careful',
      description: 'Asks twice',
      config: { tags: ['t'], recursion_limit: 7, configurable: { model: 'large' } },
      context: { tone: 'calm' },
      metadata: { team: 'hiring', labels: { b: 2, a: 1 } },
      version: 1,
      created_at: expect.stringMatching(/Z$/),
      updated_at: made.created_at,
    });
    expect(await client.assistants.get(made.assistant_id)).toEqual(made);
    expect(await client.assistants.get(made.assistant_id.toUpperCase())).toEqual(made);
    const metadata = { labels: { a: 1, b: 2 }, team: 'hiring' };
    expect(await client.assistants.search({ metadata, graphId: 'echo', name: 'CARE' })).toEqual([made]);
    expect(await client.assistants.count({ metadata })).toBe(1);
    expect(await client.assistants.count({ metadata, graphId: 'other' })).toBe(0);
    expect(await client.assistants.count({ metadata, name: 'careless' })).toBe(0);
  });

  it("has the same default values as on LangGraph's own server", async () => {
    const made = await client.assistants.create({ graphId: 'echo' });
    const { name, description, config, context, metadata } = made;
    const expected = { name: 'Untitled', description: null, config: {}, context: {}, metadata: {} };
    expect({ name, description, config, context, metadata }).toEqual(expected);
    expect((await client.assistants.create({ graphId: 'echo', name: '' })).name).toBe('echo');
  });

  it('is not created a second time with the same id', async () => {
    const assistantId = randomUUID();
    const made = await client.assistants.create({ graphId: 'echo', assistantId, name: 'first' });
    const again = { graphId: 'other', assistantId, name: 'second' };
    await expect(client.assistants.create(again)).rejects.toThrow(`HTTP 409: Assistant already exists: ${assistantId}`);
    expect(await client.assistants.create({ ...again, ifExists: 'do_nothing' })).toEqual(made);
  });

  it('is refused if fields are invalid, and the error names all invalid fields', async () => {
    expect(await send('POST', '/assistants', { graph_id: 'nowhere' })).toEqual([
      422,
      'graph_id is "nowhere"; no such graph is served',
    ]);
    const [status, text] = await send('POST', '/assistants', {
      assistant_id: 'x',
      if_exists: 'replace',
      config: { run_name: 'r' },
      colour: 'red',
    });
    expect(status).toBe(422);
    for (const field of ['assistant_id', 'graph_id', 'if_exists', 'config.run_name', 'colour']) {
      expect(text).toContain(`${field}: `);
    }
    const [, patch] = await send('PATCH', '/assistants/echo', { assistant_id: randomUUID() });
    expect(patch).toBe('assistant_id: unknown field of the request body');
    expect((await send('POST', '/assistants/search', { select: ['secret'] }))[0]).toBe(422);
  });

  it('can be found by a search that returns one page at a time', async () => {
    const metadata = { paged: randomUUID() };
    for (const name of ['a', 'b', 'c']) await client.assistants.create({ graphId: 'echo', name, metadata });
    const query = { metadata, sortBy: 'name', sortOrder: 'desc', limit: 2, includePagination: true } as const;
    const first = await client.assistants.search(query);
    expect([first.assistants.map(({ name }) => name), first.next]).toEqual([['c', 'b'], '2']);
    const last = await client.assistants.search({ ...query, offset: 2, select: ['name'] });
    expect(last).toEqual({ assistants: [{ name: 'a' }], next: null });
    const response = await fetch(`${url}/assistants/search`, {
      method: 'POST',
      body: JSON.stringify({ metadata, limit: 1 }),
    });
    expect(response.headers.get('X-Pagination-Total')).toBe('3');
  });

  it('is not found (404) by any route if it does not exist', async () => {
    const id = randomUUID();
    const requests: [string, string, unknown?][] = [
      ['GET', ''],
      ['PATCH', '', {}],
      ['DELETE', ''],
      ['GET', '/graph'],
      ['GET', '/schemas'],
      ['GET', '/subgraphs'],
      ['POST', '/versions', {}],
      ['POST', '/latest', { version: 1 }],
    ];
    for (const [method, path, body] of requests) {
      expect([path, ...(await send(method, `/assistants/${id}${path}`, body))]).toEqual([
        path,
        404,
        `Assistant not found: No assistant found for "${id}", neither by id nor by graph`,
      ]);
    }
  });
});

describe('the versions of an assistant', () => {
  it('are created by every change of the assistant, and keep their content after later changes', async () => {
    const { assistant_id: id } = await client.assistants.create({
      graphId: 'echo',
      name: 'one',
      config: { configurable: { n: 1 } },
      metadata: { a: 1, b: 1 },
    });
    const second = await client.assistants.update(id, {
      graphId: 'other',
      name: 'two',
      description: 'changed',
      config: { tags: ['x'] },
      context: { c: 1 },
      metadata: { b: 2 },
    });
    expect(second).toMatchObject({
      version: 2,
      graph_id: 'other',
      name: 'two',
      description: 'changed',
      config: { tags: ['x'] },
      context: { c: 1 },
      metadata: { a: 1, b: 2 },
    });
    expect(second.config).toEqual({ tags: ['x'] });
    expect((await client.assistants.update(id, {})).version).toBe(3);
    const versions = await client.assistants.getVersions(id);
    expect(versions.map(({ version, name, metadata }) => [version, name, metadata])).toEqual([
      [3, 'two', { a: 1, b: 2 }],
      [2, 'two', { a: 1, b: 2 }],
      [1, 'one', { a: 1, b: 1 }],
    ]);
    expect(Object.keys(versions[0] ?? {})).not.toContain('updated_at');
    expect((await client.assistants.getVersions(id, { limit: 1, offset: 1 })).map(({ version }) => version)).toEqual([
      2,
    ]);
    expect((await client.assistants.getVersions(id, { metadata: { b: 1 } })).map(({ version }) => version)).toEqual([
      1,
    ]);
    expect(await client.assistants.getVersions(id, { metadata: { b: 9 } })).toEqual([]);
  });

  it('can be selected, and runs use the selected version', async () => {
    const { assistant_id: id } = await client.assistants.create({
      graphId: 'echo',
      config: { configurable: { model: 'first' } },
      context: { tone: 'first' },
    });
    await client.assistants.update(id, {
      config: { configurable: { model: 'second' }, metadata: { via: 'config' } } as Config,
      context: { tone: 'second' },
    });
    const runOf = async () => {
      const { thread_id } = await client.threads.create();
      const run = await client.runs.create(thread_id, id, { input: {} });
      await client.runs.join(thread_id, run.run_id);
      return (await client.runs.get(thread_id, run.run_id)) as unknown as {
        metadata: unknown;
        kwargs: { context: unknown; config: { configurable: { model: string } } };
      };
    };
    const second = await runOf();
    expect(second.kwargs.config.configurable.model).toBe('second');
    expect(second.metadata).toMatchObject({ via: 'config' });
    const back = await client.assistants.setLatest(id, 1);
    expect(back).toMatchObject({ version: 1, context: { tone: 'first' } });
    const first = await runOf();
    expect([first.kwargs.config.configurable.model, first.kwargs.context]).toEqual(['first', { tone: 'first' }]);
    expect((await client.assistants.update(id, {})).version).toBe(3);
    await expect(client.assistants.setLatest(id, 4)).rejects.toThrow('HTTP 404: Assistant version not found');
  });
});

describe('the deletion of an assistant', () => {
  it('deletes its versions and keeps its threads', async () => {
    const { assistant_id: id } = await client.assistants.create({ graphId: 'echo' });
    const { thread_id } = await client.threads.create();
    await client.runs.wait(thread_id, id, { input: {} });
    expect(await send('DELETE', `/assistants/${id}`)).toEqual([200, JSON.stringify([id])]);
    await expect(client.assistants.get(id)).rejects.toThrow('HTTP 404: Assistant not found');
    await expect(client.assistants.getVersions(id)).rejects.toThrow('HTTP 404');
    await expect(client.runs.wait(thread_id, id, { input: {} })).rejects.toThrow('HTTP 404: Assistant not found');
    expect((await client.threads.get(thread_id)).thread_id).toBe(thread_id);
  });

  it('deletes its crons', async () => {
    const { assistant_id: id } = await client.assistants.create({ graphId: 'echo' });
    const { cron_id } = (await client.crons.create(id, { schedule: '0 0 1 1 *' })) as { cron_id: string };
    await client.assistants.delete(id);
    await expect(client.crons.search({ assistantId: id })).resolves.toEqual([]);
    expect((await send('GET', `/runs/crons/${cron_id}`))[0]).toBe(404);
  });

  it('keeps the crons of a system assistant whose graph is still served', async () => {
    const { assistant_id: id } = await client.assistants.get('echo');
    const { cron_id } = (await client.crons.create(id, { schedule: '0 0 1 1 *' })) as { cron_id: string };
    await client.assistants.delete(id);
    expect((await send('GET', `/runs/crons/${cron_id}`))[0]).toBe(200);
    await client.crons.delete(cron_id);
  });

  it('deletes its threads if the client requests their deletion', async () => {
    const { assistant_id: id } = await client.assistants.create({ graphId: 'echo' });
    const { thread_id: mine } = await client.threads.create();
    const { thread_id: others } = await client.threads.create();
    await client.runs.wait(mine, id, { input: {} });
    await client.runs.wait(others, 'echo', { input: {} });
    await client.assistants.delete(id, { deleteThreads: true });
    await expect(client.threads.get(mine)).rejects.toThrow('HTTP 404');
    expect((await client.threads.get(others)).thread_id).toBe(others);
  });

  it('resets a system assistant, which stands for a graph, to its first version', async () => {
    await api.stores.assistants.registerGraphs(ANONYMOUS_CALLER, [{ graphId: 'reset', description: 'As told' }]);
    const before = await client.assistants.get('reset');
    const changed = await client.assistants.update('reset', { name: 'mine', metadata: { created_by: 'me' } });
    expect(changed).toMatchObject({ assistant_id: before.assistant_id, version: 2, name: 'mine' });
    await expect(client.assistants.update('reset', { graphId: 'echo' })).rejects.toThrow('HTTP 409');
    await client.assistants.delete('reset');
    expect(await client.assistants.get('reset')).toEqual({ ...before, updated_at: expect.any(String) });
    expect(await client.assistants.getVersions('reset')).toHaveLength(1);
  });
});

describe('the graph of an assistant', () => {
  const names = async (id: string, xray?: boolean | number) => {
    const { nodes } = await client.assistants.getGraph(id, xray === undefined ? {} : { xray });
    return nodes.map(({ id: name }) => name);
  };

  it('is drawn with its subgraphs to the requested depth', async () => {
    expect(await client.assistants.getGraph('checked')).toEqual({
      nodes: [
        { id: '__start__', type: 'schema', data: expect.any(Object) },
        {
          id: 'counter',
          type: 'runnable',
          data: { id: ['langgraph', 'RunnableCallable'], name: 'counter' },
          metadata: {},
        },
        { id: '__end__', type: 'schema', data: expect.any(Object) },
      ],
      edges: [
        { source: '__start__', target: 'counter', conditional: false },
        { source: 'counter', target: '__end__', conditional: false },
      ],
    });
    expect(await names('typed')).toEqual(['__start__', 'begin', 'child', '__end__']);
    expect(await names('typed', false)).toEqual(['__start__', 'begin', 'child', '__end__']);
    expect(await names('typed', 1)).toEqual(['__start__', 'begin', 'child:work', 'child:inner', '__end__']);
    const deep = ['__start__', 'begin', 'child:work', 'child:inner:leaf', 'child:inner:last', '__end__'];
    expect(await names('typed', 2)).toEqual(deep);
    expect(await names('typed', true)).toEqual(deep);
    expect((await send('GET', '/assistants/typed/graph?xray=-1'))[0]).toBe(422);
    expect((await send('GET', '/assistants/typed/graph?xray=deep'))[0]).toBe(422);
  });

  it('can come from a factory, which gets the config of the assistant', async () => {
    const { assistant_id: id } = await client.assistants.create({
      graphId: 'made',
      config: { configurable: { node: 'chosen' } },
    });
    expect(await names(id)).toEqual(['__start__', 'chosen', '__end__']);
    expect(await names('made')).toEqual(['__start__', 'unnamed', '__end__']);
  });

  it('is not found (404) if the server no longer serves it', async () => {
    expect(await send('GET', '/assistants/echo/graph')).toEqual([404, 'Graph "echo" not found']);
    expect(await send('GET', '/assistants/echo/schemas')).toEqual([404, 'Graph "echo" not found']);
  });
});

describe('the schemas of a graph', () => {
  it('come from zod if the graph defines its state with zod', async () => {
    const schemas = await client.assistants.getSchemas('checked');
    const properties = { topic: { type: 'string', description: 'What it is about' }, count: { type: 'number' } };
    expect(schemas.graph_id).toBe('checked');
    expect(schemas.state_schema).toMatchObject({ type: 'object', properties });
    expect(schemas.input_schema).toMatchObject({ type: 'object', properties });
    expect(schemas.output_schema).toMatchObject({ type: 'object', properties });
    const config = { properties: { model: { enum: ['small', 'large'] } } };
    expect(schemas.config_schema).toMatchObject(config);
    expect(schemas.context_schema).toMatchObject(config);
  });

  it(
    'come from the types in the source code if the graph does not use zod, also for subgraphs',
    async () => {
      const stage = { type: 'string', enum: ['first', 'second'] };
      const schemas = await client.assistants.getSchemas('typed');
      expect(schemas.state_schema).toMatchObject({ properties: { stage, topic: { type: 'string' } } });
      expect(schemas.input_schema).toMatchObject({ properties: { stage, topic: { type: 'string' } } });
      expect(schemas.config_schema).toMatchObject({ properties: { model: { enum: ['large', 'small'] } } });
      const subgraphs = await client.assistants.getSubgraphs('typed');
      expect(Object.keys(subgraphs)).toEqual(['child']);
      const all = await client.assistants.getSubgraphs('typed', { recurse: true });
      expect(Object.keys(all)).toEqual(['child', 'child|inner']);
      expect(all['child']).toMatchObject({
        graph_id: 'typed',
        state_schema: { properties: { stage } },
        state: { properties: { stage } },
      });
      const one = await client.assistants.getSubgraphs('typed', { namespace: 'child' });
      expect(Object.keys(one)).toEqual(['child']);
      expect(await client.assistants.getSubgraphs('typed', { namespace: 'nobody' })).toEqual({});
    },
    SOURCE_TIMEOUT_MS,
  );

  it('are null if the types are not known', async () => {
    expect(await client.assistants.getSchemas('untyped')).toEqual({
      graph_id: 'untyped',
      input_schema: null,
      output_schema: null,
      state_schema: null,
      config_schema: null,
      context_schema: null,
    });
  });
});
