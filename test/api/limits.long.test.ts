import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { WebSocket } from 'ws';
import type { Route } from '../../api/http/route.js';
import { ROUTES } from '../../api/routes.js';
import type { Schedules } from '../../conversations/ports.js';
import * as schemas from '../../protocol/schemas/index.js';
import { ApiFixture } from '../support/api-server.js';
import { bodyFields, type BodyField } from '../support/body-fields.js';

/**
 * The JSON text of 5,000 nested objects. `JSON.stringify` does not support this depth, so the text
 * replaces the placeholder `STAND_IN` in the text of a body.
 */
const DEEP = `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`;
const DEEP_LIST = '['.repeat(5_000) + ']'.repeat(5_000);
const STAND_IN = 'here it stands';

const LONG = 'x'.repeat(33_000);
const MORE: unknown[] = [
  'a\0b',
  'a\ud800b',
  '\u0001\u001f\u007f\u2028$a.b',
  { $gt: '' },
  { [LONG]: LONG, 'a\0b': ['a\0b'], '\ud800': { '\ud800': '\ud800' }, $gt: [], 'a.b': 1, '': 1, ['__proto__']: 1 },
];

/**
 * The command of protocol v2 for each schema of command parameters. The key is the name of the
 * schema. If a schema is missing here, its test fails.
 */
const COMMANDS: Readonly<Record<string, string>> = {
  runStartParams: 'run.start',
  inputRespondParams: 'input.respond',
  inputInjectParams: 'input.inject',
  stateGetParams: 'state.get',
  listCheckpointsParams: 'state.listCheckpoints',
  stateForkParams: 'state.fork',
  getTreeParams: 'agent.getTree',
  subscribeParams: 'subscription.subscribe',
  unsubscribeParams: 'subscription.unsubscribe',
  reconnectParams: 'subscription.reconnect',
};

/**
 * A replacement for Temporal's Schedules that does nothing. A Schedule contains only the ids, the
 * times and the schedule options of a cron. Unusual values in these fields are refused before they
 * reach Temporal, so these tests need no real Schedules.
 */
const NO_SCHEDULES: Schedules = {
  put: async () => undefined,
  next: async () => undefined,
  remove: async () => undefined,
  backfill: async () => undefined,
};

interface Answer {
  status: number;
  text: string;
}

describe('the limits of request bodies', () => {
  let api: ApiFixture;
  let url: string;
  let ids: Record<string, string>;
  const seen = new Set<string>();

  beforeAll(async () => {
    api = await ApiFixture.start('api_limits');
    Object.assign(api, { schedules: NO_SCHEDULES });
    url = await api.listen({ keepAliveMs: 1, heartbeatMs: 50 });
    const client = api.client(url);
    const thread = await client.threads.create({ graphId: 'echo' });
    const assistant = await client.assistants.create({ graphId: 'echo' });
    const cron = await client.crons.create('echo', { schedule: '0 0 1 1 *' });
    ids = {
      thread_id: thread.thread_id,
      assistant_id: assistant.assistant_id,
      cron_id: cron.cron_id,
      run_id: randomUUID(),
    };
  });
  afterAll(() => api.stop());

  const operations = ROUTES.filter(({ body }) => body !== undefined);
  it.each(operations.map((one): [string, Route] => [`${one.method} ${one.path}`, one]))(
    '%s refuses deep nesting in every field, and no long or unusual value causes an internal error',
    async (_name, operation) => {
      const places = bodyFields(operation.body as NonNullable<Route['body']>);
      await check(operation.tag.toLowerCase().replace('stateless ', ''), places, (text) => send(operation, text));
    },
  );

  const commands = ROUTES.find(({ path }) => path.endsWith('/commands')) as Route;
  it.each(Object.keys(schemas).filter((name) => name.endsWith('Params')))(
    'a protocol v2 command (%s) refuses deep nesting in every field; no long or unusual value causes an internal error',
    async (name) => {
      const method = COMMANDS[name];
      expect(method).toBeDefined();
      const places = bodyFields(schemas[name as 'getTreeParams']);
      await check(name, places, (text) => send(commands, `{"id":1,"method":"${method}","params":${text}}`));
    },
  );

  it('searches can read all records that the tests above have created from unusual values', async () => {
    for (const path of ['/threads/search', '/assistants/search', '/runs/crons/search']) {
      const found = await fetch(`${url}${path}`, { method: 'POST', body: '{"limit":1000}' });
      expect([path, found.status]).toEqual([path, 200]);
      await found.text();
    }
    expect(api.errors).toEqual([]);
  });

  it('commands over a WebSocket and JSON in a query string have the same limit on nesting as a body', async () => {
    const socket = new WebSocket(`${url.replace('http', 'ws')}/threads/${ids['thread_id']}/stream/events`);
    const answer = new Promise<string>((resolve, reject) => {
      socket.once('message', (data: Buffer) => resolve(data.toString('utf8')));
      socket.once('error', reject);
    });
    socket.once('open', () => socket.send(`{"id":1,"method":"run.start","params":{"input":${DEEP}}}`));
    expect(JSON.parse(await answer)).toEqual({
      type: 'error',
      id: null,
      error: 'invalid_argument',
      message: 'a command: params.input.a.a.a.… is nested deeper than the limit of 256 levels',
    });
    socket.terminate();
    const query = `metadata=${encodeURIComponent(`{"a":${'['.repeat(300)}${']'.repeat(300)}}`)}`;
    const history = await fetch(`${url}/threads/${ids['thread_id']}/history?${query}`);
    expect([history.status, await history.text()]).toEqual([
      422,
      expect.stringContaining('metadata: a.0.0.0.0.… is nested deeper than the limit of 256 levels'),
    ]);
    expect(api.errors).toEqual([]);
  });

  it('a body may have 256 nested levels; for one level more, the error names the field', async () => {
    const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
    const create = (levels: number) =>
      fetch(`${url}/threads`, { method: 'POST', body: `{"metadata":${nested(levels)}}` });
    const taken = await create(255);
    expect(taken.status).toBe(200);
    const { thread_id } = (await taken.json()) as { thread_id: string };
    expect(JSON.stringify((await api.client(url).threads.get(thread_id)).metadata)).toBe(nested(255));
    const refused = await create(256);
    expect([refused.status, await refused.text()]).toEqual([
      422,
      'request body: metadata.a.a.a.a.… is nested deeper than the limit of 256 levels',
    ]);
  });

  it('metadata may have at most 10,000 values, or at most 200 in a search or count', async () => {
    const metadata = (count: number) => ({
      metadata: Object.fromEntries(Array.from({ length: count }, (_, n) => [`key${n}`, n])),
    });
    const tooMany = (most: number) => `metadata: has more than ${most} values, nested ones included`;
    expect((await post('/threads', metadata(10_000))).status).toBe(200);
    expect(await post('/threads', metadata(10_001))).toEqual({ status: 422, text: tooMany(10_000) });
    for (const path of ['/threads/search', '/threads/count', '/assistants/search', '/runs/crons/search']) {
      expect([path, (await post(path, metadata(200))).status]).toEqual([path, 200]);
      expect(await post(path, metadata(201))).toEqual({ status: 422, text: tooMany(200) });
    }
  });

  const many = (count: number) => Array.from({ length: count }, (_, n) => n);
  const keyOf1001 = { metadata: { ['k'.repeat(1_001)]: many(59_000) } };
  const keyOf1000 = { metadata: { a: [{ ['k'.repeat(1_000)]: 1 }] } };
  const longKey = `metadata: key "${'k'.repeat(40)}…" has 1001 characters; expected at most 1000`;
  const cron = { schedule: '0 0 1 1 *' };

  it.each([
    ['/assistants', { graph_id: 'echo' }],
    ['/assistants/search', {}],
    ['/assistants/count', {}],
    ['/threads', {}],
    ['/threads/search', {}],
    ['/threads/count', {}],
    ['/threads/:thread_id/history', {}],
    ['/runs/crons', { assistant_id: 'echo', ...cron }],
    ['/runs/crons/search', {}],
    ['/runs/crons/count', {}],
  ])('a metadata key may have at most 1,000 characters: %s', async (path, body) => {
    expect(await post(path, { ...body, ...keyOf1001 })).toEqual({
      status: 422,
      text: expect.stringContaining(longKey),
    });
    const inside = { metadata: { a: [{ b: keyOf1001.metadata }] } };
    expect(await post(path, { ...body, ...inside })).toEqual({ status: 422, text: expect.stringContaining(longKey) });
    expect((await post(path, { ...body, ...keyOf1000 })).status).toBe(200);
  });

  it.each([
    ['/threads/search', (count: number) => ({ values: { a: many(count) } }), 199, 'values: has more than 200 values'],
    ['/threads/count', (count: number) => ({ values: { a: many(count) } }), 199, 'values: has more than 200 values'],
    [
      '/store/items/search',
      (count: number) => ({ namespace_prefix: [], filter: { a: { $in: many(count) } } }),
      998,
      'filter: has more than 1000 values',
    ],
    [
      '/threads',
      (count: number) => ({
        metadata: { graph_id: 'echo' },
        supersteps: many(count).map(() => ({ updates: [{ values: {}, as_node: 'echo' }] })),
      }),
      1_000,
      'supersteps: Too big: expected array to have <=1000 items',
    ],
    [
      '/threads',
      (count: number) => ({
        metadata: { graph_id: 'echo' },
        supersteps: [{ updates: many(count).map(() => ({ values: {}, as_node: 'echo' })) }],
      }),
      1_000,
      'supersteps.0.updates: Too big: expected array to have <=1000 items',
    ],
    [
      '/runs/crons',
      (count: number) => ({
        ...{ assistant_id: 'echo', ...cron },
        command: { goto: many(count).map(() => ({ node: 'echo', input: null })) },
      }),
      100,
      'command.goto: ',
    ],
  ])('%s refuses a field that has one value more than the limit', async (path, body, most, message) => {
    const refused = await post(path, body(most + 1));
    expect(refused).toEqual({ status: 422, text: expect.stringContaining(message) });
    expect((await post(path, body(most))).status).toBe(200);
  });

  it.each(['0000-01-01T00:00:00Z', '0001-01-01T00:00:00+01:00', '9999-12-31T23:59:59-01:00', '0000-06-01T00:00:00'])(
    'a time must be in the years 1 to 9999 of UTC, so %s is refused',
    async (time) => {
      const wrong = 'expected a time in the years 1 to 9999 of UTC';
      const body = { assistant_id: 'echo', ...cron, end_time: time };
      expect(await post('/runs/crons', body)).toEqual({
        status: 422,
        text: expect.stringContaining(`end_time: ${wrong}`),
      });
      const patched = await post('/runs/crons/:cron_id', { end_time: time }, 'PATCH');
      expect(patched).toEqual({ status: 422, text: expect.stringContaining(`end_time: ${wrong}`) });
      const period = { start: time, end: '2026-01-01T00:00:00Z' };
      const backfill = await post('/runs/crons/:cron_id/backfill', period);
      expect(backfill).toEqual({ status: 422, text: expect.stringContaining(`start: ${wrong}`) });
    },
  );

  async function post(path: string, body: object, method = 'POST'): Promise<Answer> {
    const address = `${url}${path.replace(/:(\w+)/g, (_, name: string) => ids[name] ?? 'none')}`;
    const response = await fetch(address, { method, body: JSON.stringify(body) });
    return { status: response.status, text: await response.text() };
  }

  /**
   * Sends long, unusual and deeply nested values in every field of a body. Expects that no answer
   * has a status of 500 or more, and that each deep value is refused. If several operations of the
   * same `group` have the same field, only the first of them gets the unusual values (`MORE`) in
   * this field.
   */
  async function check(group: string, places: BodyField[], request: (text: string) => Promise<Answer>): Promise<void> {
    expect(places.length).toBeGreaterThan(0);
    const faults: unknown[] = [];
    const waiting = places.flatMap(({ path, put, kind }, at) => {
      const field = `${group} ${path.replace('[].', '')} ${kind}`;
      const values = seen.has(field) ? [LONG] : [LONG, ...MORE];
      seen.add(field);
      return [
        ...values.map((value) => async () => {
          const { status, text } = await request(JSON.stringify(put(value)));
          if (status >= 500) faults.push([path, JSON.stringify(value).slice(0, 30), status, text]);
        }),
        async () => {
          const body = JSON.stringify(put(STAND_IN)).replace(`"${STAND_IN}"`, at % 2 === 0 ? DEEP : DEEP_LIST);
          const { status, text } = await request(body);
          const isNamed = text.includes('is nested deeper than the limit of 256 levels');
          if (status !== 422 || !isNamed) faults.push([path, 'nested deep', status, text]);
        },
      ];
    });
    const next = async (): Promise<void> => {
      for (let one = waiting.pop(); one !== undefined; one = waiting.pop()) await one();
    };
    await Promise.all(Array.from({ length: 8 }, next));
    expect(faults).toEqual([]);
    expect(api.errors.splice(0)).toEqual([]);
  }

  async function send({ method, path }: Route, body: string): Promise<Answer> {
    const address = `${url}${path.replace(/:(\w+)/g, (_, name: string) => ids[name] ?? 'none')}`;
    const response = await fetch(address, { method: method.toUpperCase(), body });
    if ((response.headers.get('content-type') ?? '').startsWith('text/plain')) {
      return { status: response.status, text: (await response.text()).slice(0, 300) };
    }
    // Only the text of a refusal is read. Any other answer is cancelled, because a stream, or a
    // request that waits for a run, may take long.
    await response.body?.cancel();
    return { status: response.status, text: '' };
  }
});
