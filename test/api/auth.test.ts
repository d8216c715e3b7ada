import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { Client, type Cron } from '@langchain/langgraph-sdk';
import { WebSocket } from 'ws';
import { ROUTES } from '../../api/routes.js';
import { ServiceProcesses } from '../support/house.js';

const projectOf = (name: string) => resolve(`test/fixtures/projects/server/${name}.json`);
const house = new ServiceProcesses(projectOf('auth'), { COLLOQUY_STUDIO_AUTH: 'true' });
let url: string;
const as = (token: string) =>
  new Client({
    apiUrl: url,
    apiKey: null,
    callerOptions: { maxRetries: 0 },
    defaultHeaders: { authorization: `Bearer ${token}` },
  });
let [ada, bob, admin] = [as(''), as(''), as('')];

beforeAll(async () => {
  const [, api] = await Promise.all([house.worker(), house.api()]);
  ({ url } = api);
  [ada, bob, admin] = [as('ada'), as('bob'), as('root admin')];
}, 60_000);
afterAll(() => house.stop());

describe('a caller', () => {
  it("without credentials is refused with the message and headers that the project's auth sets", async () => {
    const response = await fetch(`${url}/threads`, { method: 'POST', body: '{}' });
    expect(response.status).toBe(401);
    expect(response.headers.get('www-authenticate')).toBe('Bearer');
    expect(await response.text()).toBe('who are you?');
  });

  it('needs no credentials for the routes /ok and /info', async () => {
    expect((await fetch(`${url}/ok`)).status).toBe(200);
    expect((await fetch(`${url}/info`)).status).toBe(200);
    expect((await fetch(`${url}/nowhere`)).status).toBe(401);
  });

  it('is passed to the graph, and a client cannot pass another identity in the config', async () => {
    const state = await as('ada read write').runs.wait(null, 'whoami', {
      input: { text: 'hi' },
      config: { configurable: { langgraph_auth_user_id: 'root', colour: 'blue' } },
    });
    expect(state).toMatchObject({
      user: {
        id: 'ada',
        permissions: ['read', 'write'],
        user: {
          identity: 'ada',
          display_name: 'ada',
          is_authenticated: true,
          permissions: ['read', 'write'],
          team: 'team of ada',
        },
      },
    });
  });

  it('may be LangGraph Studio if the server accepts Studio and the project has not disabled it', async () => {
    const headers = { 'x-auth-scheme': 'langsmith' };
    const search = (at: string) => fetch(`${at}/threads/search`, { method: 'POST', body: '{}', headers });
    expect((await search(url)).status).toBe(200);
    const closed = new ServiceProcesses(projectOf('auth-no-studio'), { COLLOQUY_STUDIO_AUTH: 'true' });
    const unset = new ServiceProcesses(projectOf('auth'));
    try {
      const [a, b] = await Promise.all([closed.api(), unset.api()]);
      expect((await search(a.url)).status).toBe(401);
      expect((await search(b.url)).status).toBe(401);
    } finally {
      await Promise.all([closed.stop(), unset.stop()]);
    }
  }, 60_000);
});

it('a run shows the identity of its user and no other data of the user', async () => {
  const { thread_id: id } = await ada.threads.create();
  await as('ada secret-permission').runs.wait(id, 'whoami', { input: { text: 'hi' } });
  const [run] = await admin.runs.list(id);
  const { kwargs } = run as unknown as { kwargs: { config: { configurable: object } } };
  expect(kwargs.config.configurable).toMatchObject({
    langgraph_auth_user: { identity: 'ada' },
    langgraph_auth_user_id: 'ada',
  });
  expect(JSON.stringify([run, await admin.runs.get(id, run?.run_id ?? '')])).not.toMatch(/secret|team of/);
});

describe('threads', () => {
  it('can be copied by a user who may read and create threads, and the copy belongs to that user', async () => {
    const { thread_id } = await ada.threads.create({ metadata: { topic: 'x' } });
    await expect(bob.threads.copy(thread_id)).rejects.toThrow('404');
    await expect(as('ada reader').threads.copy(thread_id)).rejects.toThrow('403');
    expect(await ada.threads.copy(thread_id)).toMatchObject({ metadata: { topic: 'x', owner: 'ada', made: 'by ada' } });
    expect(await admin.threads.copy(thread_id)).toMatchObject({ metadata: { owner: 'root', made: 'by root' } });
  });

  it('are created with the metadata that the auth handler sets', async () => {
    const { metadata } = await ada.threads.create({ metadata: { a: 1, owner: 'bob' } });
    expect(metadata).toEqual({ a: 1, owner: 'ada', made: 'by ada' });
    await expect(as('ada reader').threads.create()).rejects.toThrow('403');
  });

  it('of other users are not found on any route', async () => {
    const { thread_id: id } = await ada.threads.create();
    expect((await ada.threads.get(id)).thread_id).toBe(id);
    expect((await admin.threads.get(id)).thread_id).toBe(id);
    const roads: [string, () => Promise<unknown>][] = [
      ['get', () => bob.threads.get(id)],
      ['update', () => bob.threads.update(id, { metadata: { mine: true } })],
      ['state', () => bob.threads.getState(id)],
      ['update of the state', () => bob.threads.updateState(id, { values: {} })],
      ['history', () => bob.threads.getHistory(id)],
      ['runs', () => bob.runs.list(id)],
      ['run', () => bob.runs.create(id, 'whoami', { input: {} })],
      ['run and wait', () => bob.runs.wait(id, 'whoami', { input: {} })],
      ['run made with its thread', () => bob.runs.create(id, 'whoami', { input: {}, ifNotExists: 'create' })],
      ['a run', () => bob.runs.get(id, randomUUID())],
      ['cancelling', () => bob.runs.cancel(id, randomUUID())],
      ['a cron', () => bob.crons.createForThread(id, 'whoami', { schedule: '0 0 * * *' })],
      ['cancelling many', () => bob.runs.cancelMany({ threadId: id, status: 'all' })],
      ['upper case', () => bob.threads.get(id.toUpperCase())],
    ];
    for (const [road, go] of roads) {
      const outcome = await go().then(
        () => 'let in',
        (error: { status?: number }) => error.status,
      );
      expect([road, outcome]).toEqual([road, 404]);
    }
    expect((await ada.threads.get(id)).metadata).toEqual({ owner: 'ada', made: 'by ada' });
    expect(await ada.runs.list(id)).toEqual([]);
    await expect(bob.threads.create({ threadId: id, ifExists: 'do_nothing' })).rejects.toThrow('409');
  });

  it('of other users are neither listed nor counted', async () => {
    const kind = randomUUID();
    await ada.threads.create({ metadata: { kind } });
    await bob.threads.create({ metadata: { kind } });
    const owners = async (client: Client, metadata: Record<string, string>) =>
      (await client.threads.search({ metadata })).map((thread) => thread.metadata?.['owner']);
    expect(await owners(ada, { kind })).toEqual(['ada']);
    expect(await owners(ada, { kind, owner: 'bob' })).toEqual([]);
    expect((await owners(admin, { kind })).sort()).toEqual(['ada', 'bob']);
    expect(await bob.threads.count({ metadata: { kind } })).toBe(1);
    expect(await bob.threads.count({ metadata: { kind, owner: 'ada' } })).toBe(0);
  });

  it('are not deleted if the auth handler refuses the deletion; the HTTP answer has the message of the handler', async () => {
    const { thread_id: id } = await ada.threads.create();
    await expect(ada.threads.delete(id)).rejects.toThrow(/403.*threads stay/);
  });
});

describe('runs', () => {
  it('create threads that belong to the caller and that other users cannot see', async () => {
    const id = randomUUID();
    await ada.runs.wait(id, 'whoami', { input: {}, ifNotExists: 'create' });
    expect((await ada.threads.get(id)).metadata).toMatchObject({ owner: 'ada', graph_id: 'whoami' });
    await expect(bob.threads.get(id)).rejects.toThrow('404');
    const kept = await ada.runs.create(null, 'whoami', { input: {}, onCompletion: 'keep' as never });
    await ada.runs.join(kept.thread_id, kept.run_id);
    await expect(bob.runs.get(kept.thread_id, kept.run_id)).rejects.toThrow('404');
    expect(
      (await fetch(`${url}/runs/${kept.run_id}/stream`, { headers: { authorization: 'Bearer bob' } })).status,
    ).toBe(404);
  });
});

it('crons are created and changed with the metadata that the auth handler sets', async () => {
  const cron = await ada.crons.create('whoami', { schedule: '0 0 1 1 *', metadata: { owner: 'bob' } });
  const { cron_id: id } = cron as Cron;
  expect((cron as Cron).metadata).toEqual({ owner: 'ada', created: 'by ada' });
  expect(await bob.crons.search()).toEqual([]);
  const { metadata } = await admin.crons.update(id, { metadata: { owner: 'bob', created: 'by bob' } });
  expect(metadata).toEqual({ owner: 'bob', created: 'by bob', updated: 'by root' });
  await expect(ada.crons.delete(id)).rejects.toThrow(`HTTP 404: Cron not found: ${id}`);
  await bob.crons.delete(id);
});

describe('the store', () => {
  it('uses the store namespace that the auth handler chooses', async () => {
    await ada.store.putItem(['notes'], 'k', { of: 'ada' });
    await bob.store.putItem(['notes'], 'k', { of: 'bob' });
    expect(await ada.store.getItem(['notes'], 'k')).toMatchObject({
      namespace: ['ada', 'notes'],
      value: { of: 'ada' },
    });
    expect((await bob.store.searchItems([])).items.map(({ value }) => value)).toEqual([{ of: 'bob' }]);
    expect((await bob.store.listNamespaces()).namespaces).toEqual([['bob', 'notes']]);
    await bob.store.deleteItem(['notes'], 'k');
    expect(await bob.store.getItem(['notes'], 'k')).toBeNull();
    expect(await ada.store.getItem(['notes'], 'k')).not.toBeNull();
  });
});

it('the API asks the auth of the project about every route that is not public', () => {
  const unasked = ROUTES.filter(({ auth }) => typeof auth === 'string').map(({ path, auth }) => [path, auth]);
  expect(unasked).toEqual([
    ['/ok', 'public'],
    ['/info', 'public'],
  ]);
});

it('protocol v2 applies the same auth rules as the other routes', async () => {
  const { thread_id: id } = await ada.threads.create();
  const order = (token: string) =>
    fetch(`${url}/threads/${id}/commands`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ id: 1, method: 'run.start', params: { assistant_id: 'whoami', input: { text: 'hi' } } }),
    });
  expect((await order('bob')).status).toBe(404);
  expect(await (await order('ada')).json()).toMatchObject({ type: 'success' });
  const { run_id: runId } = (await ada.runs.list(id))[0] ?? { run_id: '' };
  await ada.runs.join(id, runId);
  expect((await ada.threads.get(id)).values).toMatchObject({ user: { id: 'ada' } });
});

it('in protocol v2, a client that answers an interrupt or makes a fork cannot set another user in the config', async () => {
  const { thread_id: id } = await ada.threads.create();
  const order = async (method: string, params: object) => {
    const response = await fetch(`${url}/threads/${id}/commands`, {
      method: 'POST',
      headers: { authorization: 'Bearer ada', 'content-type': 'application/json' },
      body: JSON.stringify({ id: 1, method, params }),
    });
    expect(await response.json()).toMatchObject({ type: 'success' });
    const [run] = await ada.runs.list(id, { limit: 1 });
    await ada.runs.join(id, run?.run_id ?? '');
    return ada.threads.get(id);
  };
  const { interrupts } = await order('run.start', { assistant_id: 'asks', input: {} });
  const [question] = Object.values(interrupts).flat();
  const { metadata, values } = await order('input.respond', {
    interrupt_id: question?.id,
    response: 'me',
    config: { configurable: { langgraph_auth_user_id: 'root' } },
    metadata: { owner: 'root' },
  });
  expect([values, metadata]).toMatchObject([{ text: 'me', user: { id: 'ada' } }, { owner: 'ada' }]);
  const before = (await ada.threads.getHistory(id)).find(({ next }) => next[0] === 'say');
  const fork = await order('state.fork', {
    checkpoint_id: before?.checkpoint.checkpoint_id,
    config: { configurable: { langgraph_auth_user_id: 'root' } },
  });
  expect(fork.values).toMatchObject({ user: { id: 'ada' } });
  expect((await ada.runs.list(id)).map((run) => run.metadata?.['owner'])).toEqual(['ada', 'ada', 'ada']);
});

it('a WebSocket is authenticated like an HTTP request, and the auth handlers decide about each command', async () => {
  const { thread_id: id } = await ada.threads.create();
  const open = (headers: Record<string, string>) =>
    new WebSocket(`${url.replace('http', 'ws')}/threads/${id}/stream/events`, { headers });
  const [code] = (await once(open({}), 'close')) as [number];
  expect(code).toBe(4401);
  async function told(token: string, method: string, params: object): Promise<unknown> {
    const socket = open({ authorization: `Bearer ${token}` });
    await once(socket, 'open');
    const answer = once(socket, 'message') as Promise<[Buffer]>;
    socket.send(JSON.stringify({ id: 1, method, params }));
    const [text] = await answer;
    socket.close();
    return JSON.parse(text.toString('utf8'));
  }
  const start = { assistant_id: 'whoami', input: { text: 'hi' } };
  expect(await told('bob', 'subscription.subscribe', { channels: ['values'] })).toMatchObject({ type: 'error' });
  expect(await told('bob', 'state.get', {})).toMatchObject({ type: 'error' });
  expect(await told('bob', 'run.start', start)).toMatchObject({ type: 'error' });
  expect(await ada.runs.list(id)).toEqual([]);
  expect(await told('ada', 'subscription.subscribe', { channels: ['values'] })).toMatchObject({ type: 'success' });
  expect(await told('ada', 'run.start', start)).toMatchObject({ type: 'success' });
  const [run] = await ada.runs.list(id);
  await ada.runs.join(id, run?.run_id ?? '');
  expect((await ada.threads.get(id)).values).toMatchObject({ user: { id: 'ada' } });
});

it('an unknown path is answered with 404', async () => {
  const response = await fetch(`${url}/secret`, { headers: { authorization: 'Bearer ada' } });
  expect(response.status).toBe(404);
  expect(await response.text()).toBe('Not Found: GET /secret is not served here');
});

it.each([
  ['auth-nothing', /auth\.path: the export is not an Auth/],
  ['auth-open', /auth\.path: the export has no authenticate handler/],
])('the API does not start if the auth of the project is invalid: %s', async (name, message) => {
  const broken = new ServiceProcesses(projectOf(name));
  await expect(broken.api()).rejects.toThrow(message);
  await broken.stop();
});
