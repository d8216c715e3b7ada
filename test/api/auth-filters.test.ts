import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { Connection, Client as TemporalClient } from '@temporalio/client';
import { cronScheduleId } from '../../protocol/index.js';
import { CRON_WORKFLOW, type CronOutcome } from '../../workflows/contract.js';
import { ServiceProcesses } from '../support/house.js';

type Body = Record<string, unknown>;

interface Answer {
  status: number;
  text: string;
  total: string | null;
  json: unknown;
}

const NEVER_SOON = { assistant_id: 'whoami', schedule: '0 9 1 1 *', input: { text: 'hi' } };
const house = new ServiceProcesses(resolve('test/fixtures/projects/server/filters.json'));
let url: string;
let log: () => string;
let connection: Connection;
let temporal: TemporalClient;

beforeAll(async () => {
  const [, api] = await Promise.all([house.worker(), house.api()]);
  ({ url, log } = api);
  connection = await Connection.connect({ address: house.temporalAddress });
  temporal = new TemporalClient({ connection });
}, 60_000);
afterAll(async () => {
  const crons = await root.found('crons', { limit: 1_000 });
  await Promise.all(crons.map((id) => root.call('DELETE', `/runs/crons/${id}`)));
  await house.stop();
  await connection.close();
});

/**
 * The kinds of records to which filters apply. For each kind: the path and the body that create a
 * record (`make`, `body`), the path of the other requests (`at`), and the field with the id (`id`).
 */
const KINDS = {
  threads: { make: '/threads', body: {}, at: '/threads', id: 'thread_id' },
  assistants: { make: '/assistants', body: { graph_id: 'whoami' }, at: '/assistants', id: 'assistant_id' },
  crons: { make: '/runs/crons', body: NEVER_SOON, at: '/runs/crons', id: 'cron_id' },
} as const;
type Kind = keyof typeof KINDS;
const kinds = Object.keys(KINDS) as Kind[];

/** A user of the API, with the filters that the project's auth handlers return for this user. */
class User {
  constructor(
    readonly name: string,
    readonly filters?: Record<string, Body>,
  ) {}

  async call(method: string, path: string, body?: Body): Promise<Answer> {
    const filters = this.filters && Buffer.from(JSON.stringify(this.filters)).toString('base64url');
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization: ['Bearer', this.name, filters].filter(Boolean).join(' ') },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    const json: unknown = isJson ? JSON.parse(text) : undefined;
    return { status: response.status, text, total: response.headers.get('x-pagination-total'), json };
  }

  async make(kind: Kind, metadata: Body): Promise<string> {
    const { make, body, id } = KINDS[kind];
    const { json, text } = await this.call('POST', make, { ...body, metadata });
    const made = json as Body | undefined;
    if (made === undefined) throw new Error(text);
    return String(made[id]);
  }

  get(kind: Kind, id: string): Promise<Answer> {
    return this.call('GET', `${KINDS[kind].at}/${id}`);
  }

  async metadata(kind: Kind, id: string): Promise<unknown> {
    return ((await this.get(kind, id)).json as Body)['metadata'];
  }

  async patch(kind: Kind, id: string, metadata: Body): Promise<number> {
    return (await this.call('PATCH', `${KINDS[kind].at}/${id}`, { metadata })).status;
  }

  /** Returns the ids of the records that a search finds, in the order of the answer. */
  async found(kind: Kind, query: Body): Promise<string[]> {
    const { json } = await this.call('POST', `${KINDS[kind].at}/search`, query);
    return (json as Body[]).map((one) => String(one[KINDS[kind].id]));
  }

  async count(kind: Kind, query: Body): Promise<unknown> {
    return (await this.call('POST', `${KINDS[kind].at}/count`, query)).json;
  }
}

const owner = (name: string) => new User(name, { '*': { owner: name } });
const member = (...names: string[]) =>
  new User(names[0] ?? '', { '*': { members: { $contains: names.length > 1 ? names : names[0] } } });
const root = new User('root');
const [ada, bob] = [owner('ada'), owner('bob')];

describe('the deletion of an assistant with its threads', () => {
  it('deletes only the threads that the user may delete', async () => {
    // The filters are only about threads, so every user may use the assistant.
    const id = await root.make('assistants', {});
    const ofThreads = (name: string) => new User(name, { threads: { owner: name } });
    const threads = [];
    for (const who of [ofThreads('ada'), ofThreads('bob')]) {
      const thread = await who.make('threads', {});
      const run = { assistant_id: id, input: { text: 'hi' } };
      expect((await who.call('POST', `/threads/${thread}/runs/wait`, run)).status).toBe(200);
      threads.push(thread);
    }
    const gone = await ofThreads('ada').call('DELETE', `/assistants/${id}?delete_threads=true`);
    expect(gone.status).toBe(200);
    const left = threads.map(async (thread) => (await root.get('threads', thread)).status);
    expect(await Promise.all(left)).toEqual([404, 200]);
  });
});

describe('metadata that is not an object', () => {
  const thread = randomUUID();
  const run = { assistant_id: 'whoami', input: { text: 'hi' } };
  it.each([
    ['POST', '/threads', { thread_id: thread }],
    ['POST', '/assistants', { graph_id: 'whoami' }],
    ['POST', '/runs/crons', NEVER_SOON],
    ['POST', '/runs', run],
    ['POST', '/threads/search', {}],
  ])('is refused from every user: %s %s', async (method, path, body) => {
    for (const who of [ada, root]) {
      const { status, text } = await who.call(method, path, { ...body, metadata: 'abc' });
      expect([status, text]).toEqual([422, expect.stringMatching(/^metadata: .*expected record.*got "abc"$/)]);
    }
    expect((await ada.get('threads', thread)).status).toBe(404);
  });

  it('makes the API refuse a batch of runs, even if only one of the runs has it', async () => {
    const { status, text } = await ada.call('POST', '/runs/batch', [run, { ...run, metadata: [1] }] as unknown as Body);
    expect([status, text]).toEqual([422, expect.stringContaining('got [1]')]);
  });
});

describe('a cron', () => {
  it('belongs to its creator, and no route shows it to other users', async () => {
    const id = await ada.make('crons', { owner: 'bob', topic: 'x' });
    expect(await ada.metadata('crons', id)).toEqual({ owner: 'ada', topic: 'x' });
    expect((await root.get('crons', id)).status).toBe(200);
    const period = { start: '2024-01-01T00:00:00Z', end: '2024-01-02T00:00:00Z' };
    const roads = (one: string) =>
      [
        ['GET', `/runs/crons/${one}`],
        ['GET', `/runs/crons/${one.toUpperCase()}`],
        ['PATCH', `/runs/crons/${one}`, { enabled: false }],
        ['PATCH', `/runs/crons/${one}`, { metadata: { owner: 'bob' } }],
        ['POST', `/runs/crons/${one}/backfill`, period],
        ['DELETE', `/runs/crons/${one}`],
      ] as const;
    const unknown = randomUUID();
    for (const [index, [method, path, body]] of roads(id).entries()) {
      const { status, text } = await bob.call(method, path, body);
      expect([method, status, text]).toEqual([method, 404, `Cron not found: ${id}`]);
      // The answer for a cron that does not exist is the same.
      const [, none] = roads(unknown)[index] ?? [];
      expect((await bob.call(method, none ?? '', body)).text).toBe(`Cron not found: ${unknown}`);
    }
    expect((await ada.get('crons', id)).json).toMatchObject({ enabled: true, metadata: { owner: 'ada', topic: 'x' } });
    expect((await ada.call('POST', `/runs/crons/${id}/backfill`, period)).status).toBe(202);
    expect((await ada.call('DELETE', `/runs/crons/${id}`)).status).toBe(204);
  });

  it('gets the metadata of the filters for threads and for crons (the latter win); is refused on another user’s thread', async () => {
    const both = new User('ada', { threads: { owner: 'ada', thread: 1 }, crons: { owner: 'ada of crons' } });
    const thread = await both.make('threads', {});
    const { json } = await both.call('POST', `/threads/${thread}/runs/crons`, NEVER_SOON);
    const { cron_id: id, metadata } = json as { cron_id: string; metadata: Body };
    expect(metadata).toEqual({ owner: 'ada of crons', thread: 1 });
    expect((await both.get('crons', id)).status).toBe(200);
    expect((await bob.call('POST', `/threads/${thread}/runs/crons`, NEVER_SOON)).status).toBe(404);
    expect(await bob.found('crons', { thread_id: thread })).toEqual([]);
    expect(await both.found('crons', { thread_id: thread })).toEqual([id]);
  });

  it('fires as its creator, on a thread that the creator owns, even after another user has changed the cron', async () => {
    const cron = await ada.make('crons', { topic: randomUUID() });
    const config = { tags: ['t'], configurable: { colour: 'red', langgraph_auth_user_id: 'root' } };
    for (const [who, body] of [
      [ada, {}],
      [ada, { config }],
      [root, { config: null }],
    ] as const) {
      const { status, json } = await who.call('PATCH', `/runs/crons/${cron}`, body);
      expect(status).toBe(200);
      const kept = 'config' in body && body.config !== null ? body.config : {};
      expect((json as { payload: Body }).payload['config']).toEqual({
        ...kept,
        configurable: {
          ...('configurable' in kept && { colour: 'red' }),
          langgraph_auth_user: expect.objectContaining({ identity: 'ada' }),
          langgraph_auth_user_id: 'ada',
          langgraph_auth_permissions: [],
        },
      });
      const thread = await fired(cron);
      expect((await ada.get('threads', thread)).json).toMatchObject({
        metadata: { owner: 'ada', cron_id: cron },
        values: { user: { id: 'ada' } },
      });
      expect((await bob.get('threads', thread)).status).toBe(404);
    }
    expect(await ada.count('threads', { metadata: { cron_id: cron } })).toBe(3);
    expect(await bob.count('threads', { metadata: { cron_id: cron } })).toBe(0);
  });
});

/**
 * Fires a cron as its Temporal Schedule does, and waits until the run has ended. Returns the thread
 * id.
 */
async function fired(cronId: string): Promise<string> {
  const handle = await temporal.workflow.start<() => Promise<CronOutcome>>(CRON_WORKFLOW, {
    workflowId: `${cronScheduleId('default', cronId)}-${randomUUID()}`,
    taskQueue: house.name,
    args: [{ tenant: 'default', cronId }] as never,
    typedSearchAttributes: [{ key: { name: 'TemporalScheduledStartTime', type: 'DATETIME' }, value: new Date() }],
  });
  const outcome = await handle.result();
  if ('refused' in outcome) throw new Error(outcome.refused);
  return outcome.threadId;
}

describe.each(kinds)('a search for %s', (kind) => {
  const made = async (who: User, ...metadata: Body[]) => {
    const ids: string[] = [];
    for (const one of metadata) ids.push(await who.make(kind, one));
    return ids;
  };

  it("finds and counts only records that match the client's search and also the user's equality filters", async () => {
    const topic = randomUUID();
    const ids: string[] = [];
    for (const who of [ada, bob, ada, bob, ada]) ids.push(await who.make(kind, { topic }));
    const [first, second, third] = [ids[0], ids[2], ids[4]];
    const page = { metadata: { topic }, limit: 2, sort_by: 'created_at', sort_order: 'asc' };
    expect(await ada.found(kind, page)).toEqual([first, second]);
    expect(await ada.found(kind, { ...page, offset: 2 })).toEqual([third]);
    const whole = (who: User) => who.call('POST', `${KINDS[kind].at}/search`, page);
    expect([(await whole(ada)).total, (await whole(bob)).total, (await whole(root)).total]).toEqual(['3', '2', '5']);
    expect(await bob.count(kind, { metadata: { topic } })).toBe(2);
    for (const contrary of ['bob', null, {}, ['ada'], { ada: 1 }]) {
      expect(await ada.found(kind, { metadata: { topic, owner: contrary } })).toEqual([]);
      expect(await ada.count(kind, { metadata: { topic, owner: contrary } })).toBe(0);
    }
    expect((await whole(new User('ada', { '*': { owner: 'ada', topic: 'y' } }))).json).toEqual([]);
    expect((await ada.call('POST', `${KINDS[kind].at}/search`, { required: { equal: {} } })).status).toBe(422);
  });

  it('finds and counts only records whose metadata have a list with all members of a $contains filter', async () => {
    const topic = randomUUID();
    const lists = [['ada'], ['bob', 'ada'], ['bob'], ['ada', 'cy'], ['adam'], 'ada', { ada: 1 }, [['ada']], [], null];
    const ids = await made(root, ...lists.map((members) => ({ topic, members })), { topic });
    const page = { metadata: { topic }, limit: 2, sort_by: 'created_at', sort_order: 'asc' };
    expect(await member('ada').found(kind, page)).toEqual([ids[0], ids[1]]);
    expect(await member('ada').found(kind, { ...page, offset: 2 })).toEqual([ids[3]]);
    expect((await member('ada').call('POST', `${KINDS[kind].at}/search`, page)).total).toBe('3');
    expect(await member('ada').count(kind, { metadata: { topic } })).toBe(3);
    expect(await member('ada', 'bob').found(kind, page)).toEqual([ids[1]]);
    expect(await member('dora').count(kind, { metadata: { topic } })).toBe(0);
    // Metadata in the client's search can narrow the search, but not widen it.
    expect(await member('ada').found(kind, { metadata: { topic, members: ['ada', 'cy'] } })).toEqual([ids[3]]);
    expect(await member('ada').count(kind, { metadata: { topic, members: ['bob'] } })).toBe(1);
    expect(await member('ada').count(kind, { metadata: { topic, members: { $contains: 'ada' } } })).toBe(0);
  });

  it('finds exactly the records that the user can also read by id, whatever keys and values the filter has', async () => {
    const topic = randomUUID();
    const long = 'x'.repeat(1_000);
    const values = ['a', 1, 0, '1', true, false, null, '', 'a.b', '$a', '\ud800', '"a"', long, `${long}y`];
    const ids = await made(
      root,
      ...values.flatMap((one) => [
        { topic, k: one },
        { topic, k: [one] },
      ]),
    );
    const keyed = [{ 'a.b': 'v' }, { a: { b: 'v' } }, { $a: ['v'] }, { '"a"': 'v' }, { 'a"."b': ['v'] }, { a: ['v'] }];
    ids.push(...(await made(root, ...keyed.map((one) => ({ topic, ...one })), { topic, k: [] })));
    const filters = [
      ...values.flatMap((one) => [{ k: one }, { k: { $eq: one } }, { k: { $contains: one } }]),
      ...['a.b', '$a', '"a"', 'a"."b', 'a'].flatMap((key) => [{ [key]: 'v' }, { [key]: { $contains: ['v'] } }]),
      { k: { $contains: [] } },
      { k: { $contains: ['a', 1] } },
      { k: { $eq: 'a', $contains: 'a' } },
    ];
    const readable = async (who: User) => {
      const answers = await Promise.all(ids.map(async (id) => [id, (await who.get(kind, id)).status] as const));
      return answers.filter(([, status]) => status === 200).map(([id]) => id);
    };
    const sizes: number[] = [];
    for (const filter of filters) {
      const who = new User('any', { '*': filter });
      const found = await who.found(kind, { metadata: { topic }, limit: 100 });
      expect([filter, [...found].sort()]).toEqual([filter, (await readable(who)).sort()]);
      sizes.push(found.length);
    }
    // A filter by equality matches the one record that has this value. A `$contains` filter matches
    // the one record whose list has this member.
    expect(sizes.slice(0, values.length * 3)).toEqual(values.flatMap(() => [1, 1, 1]));
    expect(sizes.slice(values.length * 3)).toEqual([1, 0, 0, 1, 1, 0, 0, 1, 0, 1, values.length + 1, 0, 0]);
  }, 120_000);
});

it('a search for threads combines a $contains filter with ids, status and state', async () => {
  const topic = randomUUID();
  const ids = [];
  for (const members of [['ada'], ['bob'], ['ada']]) ids.push(await root.make('threads', { topic, members }));
  const [first = '', second = '', third = ''] = ids;
  expect(await member('ada').found('threads', { ids: [first, second] })).toEqual([first]);
  expect(await member('ada').count('threads', { metadata: { topic }, status: 'idle' })).toBe(2);
  for (const id of [second, third])
    await root.call('POST', `/threads/${id}/runs/wait`, { assistant_id: 'whoami', input: { text: 'hi' } });
  const query = { metadata: { topic }, values: { text: 'hi' } };
  expect(await member('ada').found('threads', query)).toEqual([third]);
  expect(await member('ada').count('threads', query)).toBe(1);
});

describe.each(kinds)('a change of %s', (kind) => {
  it('cannot change the owner that a filter requires', async () => {
    const id = await ada.make(kind, { note: 1 });
    for (const theft of [{ owner: 'bob' }, { owner: null }, { owner: ['ada'] }, { owner: { $eq: 'ada' } }])
      expect(await ada.patch(kind, id, theft)).toBe(403);
    expect(await bob.patch(kind, id, { owner: 'bob' })).toBe(404);
    expect(await ada.metadata(kind, id)).toEqual({ owner: 'ada', note: 1 });
    expect(await ada.patch(kind, id, { owner: 'ada', note: 2 })).toBe(200);
    expect(await ada.patch(kind, id, {})).toBe(200);
    expect(await ada.metadata(kind, id)).toEqual({ owner: 'ada', note: 2 });
    expect(await root.patch(kind, id, { owner: 'bob' })).toBe(200);
    expect((await ada.get(kind, id)).status).toBe(404);
    expect((await bob.get(kind, id)).status).toBe(200);
  });

  it('cannot remove a member that a $contains filter requires', async () => {
    const [asAda, asBob] = [member('ada'), member('bob')];
    const id = await asAda.make(kind, { members: ['ada'] });
    expect((await asBob.get(kind, id)).status).toBe(404);
    expect(await asAda.patch(kind, id, { members: ['bob'] })).toBe(403);
    expect(await asAda.patch(kind, id, { members: 'ada' })).toBe(403);
    expect(await asAda.patch(kind, id, { members: ['ada', 'bob'] })).toBe(200);
    expect((await asBob.get(kind, id)).status).toBe(200);
    // A `$contains` filter adds no member to a new record. So the creator of this record cannot
    // read it.
    const hidden = await asAda.make(kind, {});
    expect(await root.metadata(kind, hidden)).not.toHaveProperty('members');
    expect((await asAda.get(kind, hidden)).status).toBe(404);
  });
});

it('metadata that a client sends to the state route cannot change the owner of the thread', async () => {
  const id = await ada.make('threads', {});
  const patch = (metadata: Body) => ada.call('PATCH', `/threads/${id}/state`, { metadata });
  expect((await patch({ owner: 'bob' })).status).toBe(403);
  expect((await patch({ note: 1 })).status).toBe(204);
  expect(await ada.metadata('threads', id)).toEqual({ owner: 'ada', note: 1 });
});

it('a user cannot list or restore a version of an assistant if the metadata of that version have another owner', async () => {
  const id = await root.make('assistants', { owner: 'bob' });
  await root.patch('assistants', id, { owner: 'ada' });
  await ada.patch('assistants', id, { note: 1 });
  const versions = async (who: User) => {
    const { json } = await who.call('POST', `/assistants/${id}/versions`, {});
    return (json as { version: number }[]).map(({ version }) => version);
  };
  expect([await versions(root), await versions(ada)]).toEqual([
    [3, 2, 1],
    [3, 2],
  ]);
  const choose = async (version: number) => (await ada.call('POST', `/assistants/${id}/latest`, { version })).status;
  expect([await choose(1), await choose(2)]).toEqual([404, 200]);
});

it.each([{ $in: ['ada'] }, {}, ['ada'], { $eq: ['ada'] }, { $eq: { a: 1 } }, { $contains: [{ a: 1 }] }])(
  'if an auth handler returns the invalid filter %j, the request fails and returns no records',
  async (filter) => {
    await ada.make('threads', {});
    const { status, text } = await new User('ada', { '*': { owner: filter } }).call('POST', '/threads/search', {});
    expect([status, text]).toEqual([500, 'internal error']);
    // Only the operator's log contains the value of the filter.
    expect(log()).toContain(`auth: filter owner is ${JSON.stringify(filter)}`);
  },
);
