import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { WebSocket } from 'ws';
import type { Route } from '../../api/http/route.js';
import { ROUTES } from '../../api/routes.js';
import { COMMAND_NAMES } from '../../api/protocol-v2/commands.js';
import { HttpUser, type UserAnswer } from '../support/http-user.js';
import { ServiceProcesses } from '../support/house.js';

/** A string that occurs in all records of ada, and in no record of another user. */
const CANARY = 'canary-of-ada';
const house = new ServiceProcesses(resolve('test/fixtures/projects/server/owned.json'));
let url: string;
let [ada, bob, root] = [new HttpUser('', ''), new HttpUser('', ''), new HttpUser('', '')];

/** The ids of one user's records. Each key is the name of the path parameter for the id. */
type Ids = Record<'thread_id' | 'run_id' | 'assistant_id' | 'cron_id' | 'checkpoint_id' | 'namespace', string>;
let hers: Ids;
let his: Ids;
let question: string;
let before: string;

beforeAll(async () => {
  const [, api] = await Promise.all([house.worker(), house.api()]);
  ({ url } = api);
  [ada, bob, root] = ['ada', 'bob', 'root'].map((name) => new HttpUser(url, name)) as [HttpUser, HttpUser, HttpUser];
  [hers, his] = await Promise.all([createRecords(ada, CANARY), createRecords(bob, 'of bob')]);
  const { interrupts } = await ada.get<{ interrupts: object }>('GET', `/threads/${hers.thread_id}`);
  question = (Object.values(interrupts).flat() as { id: string }[])[0]?.id ?? '';
  before = await allRecordsOf(ada);
}, 90_000);
afterAll(async () => {
  for (const { cron_id: id } of [hers, his]) await root.get('DELETE', `/runs/crons/${id}`);
  await house.stop();
});

/** Creates one record of each kind for a user. Each record contains `mark`. Returns the ids. */
async function createRecords(who: HttpUser, mark: string): Promise<Ids> {
  const made = { metadata: { mark }, context: { mark }, config: { configurable: { mark } } };
  const { assistant_id } = await who.get<Ids>('POST', '/assistants', { graph_id: 'asks', name: mark, ...made });
  const { thread_id } = await who.get<Ids>('POST', '/threads', { metadata: { mark } });
  const run = { assistant_id, input: { text: mark }, metadata: { mark } };
  const { run_id } = await who.get<Ids>('POST', `/threads/${thread_id}/runs`, run);
  await who.get('GET', `/threads/${thread_id}/runs/${run_id}/join`);
  const { checkpoint } = await who.get<{ checkpoint: Ids }>('GET', `/threads/${thread_id}/state`);
  const cron = { ...run, schedule: '0 0 1 1 *' };
  const { cron_id } = await who.get<Ids>('POST', `/threads/${thread_id}/runs/crons`, cron);
  await who.get('PUT', '/store/items', { namespace: ['notes'], key: mark, value: { text: mark } });
  return { assistant_id, thread_id, run_id, cron_id, checkpoint_id: checkpoint.checkpoint_id, namespace: 'asks' };
}

/**
 * As the given user, reads ada's thread and the versions of her assistant, and searches for all
 * records. Returns all answers as one string.
 */
async function allRecordsOf(who: HttpUser): Promise<string> {
  const { thread_id: thread } = hers;
  const parts = await Promise.all([
    who.get('GET', `/threads/${thread}`),
    who.get('GET', `/threads/${thread}/history`),
    who.get('GET', `/threads/${thread}/runs`),
    who.get('POST', '/threads/search', {}),
    who.get('POST', '/assistants/search', {}),
    who.get('POST', `/assistants/${hers.assistant_id}/versions`, {}),
    who.get('POST', '/runs/crons/search', {}),
    who.get('POST', '/store/items/search', { namespace_prefix: [] }),
  ]);
  return JSON.stringify(parts);
}

const never = { schedule: '0 0 1 1 *' };

/**
 * Valid bodies for the routes that require one. The other routes get `{}`, or no body if their
 * method is GET. `ids` are the ids in the path of the request.
 */
const BODIES: Record<string, (ids: Ids) => unknown> = {
  'post /threads/:thread_id/runs': ({ assistant_id }) => ({ assistant_id, input: {} }),
  'post /threads/:thread_id/runs/wait': ({ assistant_id }) => ({ assistant_id, input: {} }),
  'post /threads/:thread_id/runs/stream': ({ assistant_id }) => ({ assistant_id, input: {} }),
  'post /threads/:thread_id/runs/crons': ({ assistant_id }) => ({ assistant_id, ...never }),
  'post /threads/:thread_id/commands': () => ({ id: 1, method: 'state.get', params: {} }),
  'post /threads/:thread_id/stream/events': () => ({ channels: ['values'] }),
  'post /assistants/:assistant_id/latest': () => ({ version: 1 }),
  'patch /assistants/:assistant_id': () => ({ metadata: { owner: 'bob' } }),
  'patch /threads/:thread_id': () => ({ metadata: { owner: 'bob' } }),
  'patch /threads/:thread_id/state': () => ({ metadata: { owner: 'bob' } }),
  'post /threads/:thread_id/state': () => ({ values: { text: 'of bob' } }),
  'patch /runs/crons/:cron_id': () => ({ metadata: { owner: 'bob' }, enabled: false }),
  'post /runs/crons/:cron_id/backfill': () => ({ start: '2024-01-01T00:00:00Z', end: '2024-01-02T00:00:00Z' }),
};

/**
 * For each route whose path has no id: the requests that bob sends, and the `status` that he must
 * get. Where possible, the query or the body of a request refers to ada's records.
 */
const ASKED: Record<string, { body?: () => unknown; query?: () => string; status: number }[]> = {
  'get /ok': [{ status: 200 }],
  'get /info': [{ status: 200 }],
  // A client that knows an id learns from the 409 that the id is in use: see
  // docs/decisions/2026-11-30-what-an-id-tells.md.
  'post /assistants': [{ body: () => ({ assistant_id: hers.assistant_id, graph_id: 'asks' }), status: 409 }],
  'post /assistants/search': [
    { body: () => ({ metadata: { mark: CANARY } }), status: 200 },
    { body: () => ({}), status: 200 },
  ],
  'post /assistants/count': [{ body: () => ({ metadata: { mark: CANARY } }), status: 200 }],
  'post /threads': [
    { body: () => ({ thread_id: hers.thread_id }), status: 409 },
    { body: () => ({ thread_id: hers.thread_id, if_exists: 'do_nothing' }), status: 409 },
  ],
  'post /threads/search': [
    { body: () => ({ ids: [hers.thread_id] }), status: 200 },
    { body: () => ({ values: { text: CANARY } }), status: 200 },
    { body: () => ({ metadata: { owner: 'ada' } }), status: 200 },
  ],
  'post /threads/count': [{ body: () => ({ metadata: { mark: CANARY } }), status: 200 }],
  'post /threads/prune': [
    { body: () => ({ thread_ids: [hers.thread_id] }), status: 200 },
    { body: () => ({ thread_ids: [hers.thread_id], strategy: 'keep_latest' }), status: 200 },
  ],
  'post /runs': [{ body: () => ({ assistant_id: hers.assistant_id, input: {} }), status: 404 }],
  'post /runs/wait': [{ body: () => ({ assistant_id: hers.assistant_id, input: {} }), status: 404 }],
  'post /runs/stream': [{ body: () => ({ assistant_id: hers.assistant_id, input: {} }), status: 404 }],
  'post /runs/batch': [{ body: () => [{ assistant_id: hers.assistant_id, input: {} }], status: 404 }],
  'post /runs/cancel': [
    { body: () => ({ thread_id: hers.thread_id, run_ids: [hers.run_id] }), status: 404 },
    { body: () => ({ thread_id: hers.thread_id, status: 'all' }), status: 404 },
    { body: () => ({ thread_id: his.thread_id, run_ids: [hers.run_id] }), status: 404 },
    { body: () => ({ status: 'all' }), status: 422 },
  ],
  'post /runs/crons': [{ body: () => ({ assistant_id: hers.assistant_id, ...never }), status: 404 }],
  'post /runs/crons/search': [
    { body: () => ({ assistant_id: hers.assistant_id }), status: 200 },
    { body: () => ({ thread_id: hers.thread_id }), status: 200 },
  ],
  'post /runs/crons/count': [{ body: () => ({ thread_id: hers.thread_id }), status: 200 }],
  'put /store/items': [
    { body: () => ({ namespace: ['ada', 'notes'], key: CANARY, value: { of: 'bob' } }), status: 204 },
  ],
  'get /store/items': [{ query: () => `?namespace=ada.notes&key=${CANARY}`, status: 200 }],
  'delete /store/items': [{ body: () => ({ namespace: ['ada', 'notes'], key: CANARY }), status: 204 }],
  'post /store/items/search': [
    { body: () => ({ namespace_prefix: ['ada'] }), status: 200 },
    { body: () => ({ namespace_prefix: [], query: CANARY }), status: 200 },
  ],
  'post /store/namespaces': [{ body: () => ({ prefix: ['ada'] }), status: 200 }],
};

/**
 * Routes that reveal whether a thread id is in use. If it is in use by another user, they answer
 * 404. If nobody uses it, they create the thread or wait for it. See
 * docs/decisions/2026-11-30-what-an-id-tells.md.
 */
const DISTINGUISHABLE = ['post /threads/:thread_id/stream/events', 'post /threads/:thread_id/commands'];

const nameOf = ({ method, path }: Route) => `${method} ${path}`;
const placed = (path: string, ids: Ids) => path.replace(/:(\w+)/g, (_, name: string) => ids[name as keyof Ids]);
const withIds = ROUTES.filter(({ path }) => path.includes(':'));

async function ask(who: HttpUser, operation: Route, ids: Ids): Promise<UserAnswer> {
  const body = operation.method === 'get' ? undefined : (BODIES[nameOf(operation)]?.(ids) ?? {});
  return who.call(operation.method, placed(operation.path, ids), body);
}

describe('a second user', () => {
  it.each(withIds.map((route) => [nameOf(route), route] as const))(
    'gets 404 for the ids of another user: %s',
    async (name, operation) => {
      const answer = await ask(bob, operation, hers);
      expect([name, answer.status]).toEqual([name, 404]);
      expect(answer.text).not.toContain(CANARY);
      if (DISTINGUISHABLE.includes(name)) return;
      // The answer must be the same as for ids that do not exist.
      const unknown = Object.fromEntries(Object.keys(hers).map((key) => [key, randomUUID()])) as Ids;
      const none = await ask(bob, operation, { ...unknown, namespace: hers.namespace });
      const generic = (text: string, ids: Ids) =>
        Object.entries(ids).reduce((all, [key, id]) => all.replaceAll(id, key), text);
      expect([none.status, generic(none.text, unknown)]).toEqual([404, generic(answer.text, hers)]);
    },
  );

  it.each(withIds.filter(({ path }) => path.split(':').length > 2).map((one) => [nameOf(one), one] as const))(
    'gets no record of the first user from a path that mixes ids of both users: %s',
    async (name, operation) => {
      const mixed = operation.path.startsWith('/threads')
        ? { ...hers, thread_id: his.thread_id }
        : { ...hers, assistant_id: his.assistant_id };
      const { status, text } = await ask(bob, operation, mixed);
      expect(text).not.toContain(CANARY);
      // A missing subgraph or checkpoint may get an empty answer instead of 404.
      if (!name.includes(':checkpoint_id') && !name.includes(':namespace')) expect([name, status]).toEqual([name, 404]);
    },
  );

  it.each(ROUTES.filter(({ path }) => !path.includes(':')).map(nameOf))(
    'sees no record of another user in the answer of a route without an id in its path: %s',
    async (name) => {
      const rows = ASKED[name];
      if (rows === undefined) throw new Error(`${name} has no row: say what a second user asks it, and what they get`);
      const [method = '', path = ''] = name.split(' ');
      for (const { body, query, status } of rows) {
        const answer = await bob.call(method, `${path}${query?.() ?? ''}`, body?.());
        expect([name, answer.status]).toEqual([name, status]);
        const sent = JSON.stringify(body?.() ?? query?.() ?? '');
        if (!sent.includes(CANARY)) expect(answer.text).not.toContain(CANARY);
        if (status === 200 && Array.isArray(answer.json))
          expect(JSON.stringify(answer.json)).not.toContain(hers.thread_id);
        if (name.endsWith('/count')) expect(answer.json).toBe(0);
      }
    },
  );
});

/**
 * The `params` of each command. Where a command takes the id of a record, it is the id of ada's
 * record. Bob sends each command to ada's thread, and to his own thread.
 */
const PARAMS: Record<string, () => object> = {
  'run.start': () => ({ assistant_id: hers.assistant_id, input: {} }),
  'input.respond': () => ({ interrupt_id: `${question}0`, response: 'x' }),
  'input.inject': () => ({ message: { role: 'user', content: 'x' } }),
  'state.get': () => ({ namespace: ['asks'] }),
  'state.listCheckpoints': () => ({ before: hers.checkpoint_id }),
  'state.fork': () => ({ checkpoint_id: hers.checkpoint_id }),
  'agent.getTree': () => ({ run_id: hers.run_id }),
  'subscription.subscribe': () => ({ channels: ['values'] }),
  'subscription.unsubscribe': () => ({ subscription_id: 'x' }),
  'subscription.reconnect': () => ({ run_id: hers.run_id }),
};
/**
 * Commands that succeed on bob's thread even with ada's ids, because they read only bob's thread.
 */
const ABOUT_OWN_THREAD = ['state.listCheckpoints', 'subscription.subscribe'];

describe.each(COMMAND_NAMES)('the command %s of a second user', (method) => {
  const order = () => {
    const params = PARAMS[method];
    if (params === undefined) throw new Error(`${method} has no row: say what a second user gives it`);
    return { id: 1, method, params: params() };
  };

  it('has no effect on a thread of another user', async () => {
    const { status, text } = await bob.call('POST', `/threads/${hers.thread_id}/commands`, order());
    expect([status, text]).toEqual([404, `Thread with ID ${hers.thread_id} not found`]);
    const answer = await overSocket(hers.thread_id, order());
    expect(answer).toMatchObject({ type: 'error', message: `Thread with ID ${hers.thread_id} not found` });
  });

  it("finds no record of the first user if it is sent to the second user's own thread", async () => {
    const { text } = await bob.call('POST', `/threads/${his.thread_id}/commands`, order());
    const answer = await overSocket(his.thread_id, order());
    expect(text + JSON.stringify(answer)).not.toContain(CANARY);
    if (!ABOUT_OWN_THREAD.includes(method)) expect(answer).toMatchObject({ type: 'error' });
  });
});

/** Sends a command as bob over a new WebSocket of a thread. Returns the server's first message. */
async function overSocket(thread: string, order: object): Promise<unknown> {
  const address = `${url.replace('http', 'ws')}/threads/${thread}/stream/events`;
  const socket = new WebSocket(address, { headers: { authorization: 'Bearer bob' } });
  await once(socket, 'open');
  const message = once(socket, 'message') as Promise<[Buffer]>;
  socket.send(JSON.stringify(order));
  const [data] = await message;
  socket.terminate();
  return JSON.parse(data.toString('utf8')) as unknown;
}

describe('the first user', () => {
  it('can read all their records unchanged after all requests of the second user', async () => {
    expect(await allRecordsOf(ada)).toBe(before);
    expect(before.split(CANARY).length).toBeGreaterThan(10);
    // Bob got 404 for these requests. For ada, who owns the records, they must succeed.
    for (const operation of withIds.filter(({ method, answers }) => method === 'get' && answers[200] !== 'events')) {
      const { status } = await ask(ada, operation, hers);
      expect([nameOf(operation), status]).toEqual([nameOf(operation), 200]);
    }
  });
});
