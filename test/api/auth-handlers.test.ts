import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { HttpUser } from '../support/http-user.js';
import { ServiceProcesses } from '../support/house.js';

const folder = mkdtempSync(join(tmpdir(), 'colloquy-handlers-'));
const gate = join(folder, 'gate');
const house = new ServiceProcesses(resolve('test/fixtures/projects/server/scripted.json'), {
  TEST_GATE: gate,
  COLLOQUY_ACCESS_CHECK_MS: '200',
  COLLOQUY_SHUTDOWN_GRACE_MS: '100',
});
let url: string;

beforeAll(async () => {
  const [, api] = await Promise.all([house.worker(), house.api()]);
  ({ url } = api);
}, 60_000);
afterAll(async () => {
  await house.stop();
  rmSync(folder, { recursive: true });
});

/**
 * Returns a user of the API. The project's auth handlers run `code` for this user. Without code,
 * the user can access only records that the user owns.
 */
const as = (name: string, code?: string) =>
  new HttpUser(url, [name, ...(code === undefined ? [] : [Buffer.from(code).toString('base64url')])].join(' '));
type Body = Record<string, unknown>;
type Run = { run_id: string; thread_id: string; metadata: Body; kwargs: { config: { configurable: Body } } };
const run = { assistant_id: 'whoami', input: { text: 'hi' } };

describe('a batch of runs', () => {
  it('belongs to its sender or gets 422, however the request spells the fields "config" and "metadata"', async () => {
    const configurable = { langgraph_auth_user: { identity: 'root' }, langgraph_auth_user_id: 'root' };
    const spellings: Body[] = [
      { config: {}, metadata: {}, _config: { configurable }, _metadata: { owner: 'ada' } },
      { _config: { configurable }, _metadata: { owner: 'ada' } },
      { _config: { configurable }, _metadata: { owner: 'ada' }, config: {}, metadata: {} },
      { Metadata: { owner: 'ada' }, Config: { configurable } },
    ];
    for (const fields of spellings) {
      const { status, json } = await as('bob').call('POST', '/runs/batch', [
        { ...run, on_completion: 'keep', ...fields },
      ]);
      if (status === 422) continue;
      const [made] = json as Run[];
      const { values, metadata } = await as('bob')
        .get('GET', `/threads/${made?.thread_id}/runs/${made?.run_id}/join`)
        .then(() => as('bob').get<{ values: Body; metadata: Body }>('GET', `/threads/${made?.thread_id}`));
      expect([values['user'], metadata]).toMatchObject([{ id: 'bob' }, { owner: 'bob' }]);
    }
  });

  it('is refused if two spellings of one field have different values', async () => {
    for (const [field, other, one, two] of [
      ['after_seconds', 'afterSeconds', 1, 2],
      ['metadata', '_metadata', { a: 1 }, { b: 2 }],
      ['assistant_id', 'assistantId', 'whoami', 'asks'],
    ] as const) {
      const { status, text } = await as('bob').call('POST', '/runs/batch', [{ ...run, [field]: one, [other]: two }]);
      expect([status, text]).toEqual([422, expect.stringContaining(other)]);
    }
    // LangGraph's SDK sends both spellings of the field, with the same value.
    expect((await as('bob').call('POST', '/runs/batch', [{ ...run, assistantId: 'whoami' }])).status).toBe(200);
  });
});

describe('an authorization handler', () => {
  const picky = `
    if (event !== 'threads:create_run') return { owner: user.identity };
    if (value.assistant_id === 'asks' || value.kwargs.config?.configurable?.model === 'gpt') return false;
    return { owner: user.identity };`;
  const roads: [string, (who: HttpUser, one: Body) => Promise<{ status: number; text: string }>][] = [
    ['a run', (who, one) => who.call('POST', '/runs', one)],
    ['a batch', (who, one) => who.call('POST', '/runs/batch', [run, one])],
    [
      'a command',
      async (who, one) => {
        const { status, text } = await who.call('POST', `/threads/${randomUUID()}/commands`, {
          id: 1,
          method: 'run.start',
          params: one,
        });
        return { status: text.includes('permission_denied') ? 403 : status, text };
      },
    ],
  ];

  it.each(roads)('gets the fields of a request that starts a run: %s', async (_road, ask) => {
    const who = as('bob', picky);
    expect((await ask(who, run)).status).toBe(200);
    expect((await ask(who, { ...run, assistant_id: 'asks' })).status).toBe(403);
    expect((await ask(who, { ...run, config: { configurable: { model: 'gpt' } } })).status).toBe(403);
  });

  it('is asked about each run of a batch, and may decide differently for each run', async () => {
    const who = as(
      'bob',
      `
      if (event !== 'threads:create_run') return { owner: user.identity };
      value.metadata.nth = calls.filter((one) => one.event === event && one.value.metadata.tag === value.metadata.tag).length;
      return { owner: user.identity, side: value.kwargs.input.side };`,
    );
    const metadata = { tag: randomUUID() };
    const sides = ['left', 'right', 'left'].map((side) => ({ ...run, input: { side }, metadata }));
    const runs = (await who.get<Run[]>('POST', '/runs/batch', sides)).map((one) => one.metadata);
    expect(runs).toMatchObject([
      { nth: 1, side: 'left' },
      { nth: 2, side: 'right' },
      { nth: 3, side: 'left' },
    ]);
    const quota = as(
      'bob',
      `if (event !== 'threads:create_run') return true;
      return calls.filter((one) => one.event === event && one.value.metadata.tag === value.metadata.tag).length <= 2;`,
    );
    const tag = { metadata: { tag: randomUUID() } };
    expect(
      (
        await quota.call('POST', '/runs/batch', [
          { ...run, ...tag },
          { ...run, ...tag },
          { ...run, ...tag },
        ])
      ).status,
    ).toBe(403);
  });

  it.each(roads)('can remove fields from a request that starts a run: %s', async (_road, ask) => {
    const who = as(
      'bob',
      `
      if (event !== 'threads:create_run') return { owner: user.identity };
      delete value.metadata.plan;
      delete value.kwargs.config;
      return { owner: user.identity };`,
    );
    const { text } = await ask(who, {
      ...run,
      metadata: { plan: 'paid' },
      config: { configurable: { model: 'evil' } },
    });
    const last = (field: string) => [...text.matchAll(new RegExp(`"${field}":"([^"]+)"`, 'g'))].at(-1)?.[1];
    const made = await who.get<Run>('GET', `/threads/${last('thread_id')}/runs/${last('run_id')}`);
    expect(made.metadata).not.toHaveProperty('plan');
    expect(made.kwargs.config.configurable).not.toHaveProperty('model');
  });

  it('can remove all metadata from records that are created or changed', async () => {
    for (const code of [
      `delete value.metadata.plan; delete value.metadata.members; return true;`,
      `value.metadata = {}; return true;`,
      `value.metadata = null; return true;`,
      `delete value.metadata; return true;`,
    ]) {
      const who = as('bob', code);
      const metadata = { plan: 'paid', members: ['ada'] };
      const { thread_id: id, metadata: made } = await who.get<Run>('POST', '/threads', { metadata });
      expect(made).toEqual({});
      expect(await who.get('PATCH', `/threads/${id}`, { metadata })).toMatchObject({ metadata: {} });
      const assistant = await who.get('POST', '/assistants', { graph_id: 'whoami', metadata });
      expect(assistant['metadata']).toEqual({});
    }
  });

  it.each([
    '[]',
    'new Map([["owner", "bob"]])',
    'new Date()',
    'Object.create({ owner: "bob" })',
    '{ [Symbol("a")]: 1 }',
    '"bob"',
    '1',
  ])('grants no access if it returns an invalid filter: %s', async (answer) => {
    await as('ada').get('POST', '/threads', {});
    const who = as('bob', `return (${answer});`);
    expect((await who.call('POST', '/threads/search', {})).status).toBe(500);
  });
});

describe('commands of protocol v2 that only read', () => {
  it.each(['state.get', 'state.listCheckpoints', 'agent.getTree'])(
    'require only the right to read the thread: %s',
    async (method) => {
      const { thread_id: id } = await as('bob').get<Run>('POST', '/threads', {});
      const blind = as('bob', `return event === 'threads:read' ? false : { owner: user.identity };`);
      expect((await blind.call('POST', `/threads/${id}/commands`, { id: 1, method, params: {} })).status).toBe(403);
      const reader = as('bob', `return event === 'threads:create_run' ? false : { owner: user.identity };`);
      expect((await reader.call('POST', `/threads/${id}/commands`, { id: 1, method, params: {} })).status).toBe(200);
    },
  );
});

describe('a user who may only read a thread', () => {
  const reader = `return event === 'threads:update' ? false : true;`;

  it('cannot stop a run by disconnecting', async () => {
    const { thread_id: id } = await as('ada').get<Run>('POST', '/threads', {});
    const { run_id } = await as('ada').get<Run>('POST', `/threads/${id}/runs`, { ...run, assistant_id: 'waits' });
    for (const view of ['stream', 'join']) {
      const path = `/threads/${id}/runs/${run_id}/${view}`;
      expect((await as('bob', reader).call('GET', `${path}?cancel_on_disconnect=true`)).status).toBe(403);
      const allowed = await as('bob', reader).open('GET', path);
      expect(allowed.status).toBe(200);
      await allowed.body?.cancel();
    }
    const { status } = await as('ada').get<{ status: string }>('GET', `/threads/${id}/runs/${run_id}`);
    expect(['pending', 'running']).toContain(status);
    await as('ada').get('POST', `/threads/${id}/runs/${run_id}/cancel?wait=1`);
  });
});

it('if an injected message starts a new run, the user of that run is the sender of the message', async () => {
  const { thread_id: id } = await as('ada').get<Run>('POST', '/threads', {});
  const message = { role: 'user', content: 'go' };
  const first = await as('ada').get<Run>('POST', `/threads/${id}/runs`, {
    assistant_id: 'listens',
    input: { messages: [message] },
  });
  const order = { id: 1, method: 'input.inject', params: { message: { ...message, content: 'bob orders' } } };
  const member = as('bob', 'return true;');
  let answer: Body = {};
  // The command fails until the first run is running, so it is repeated until it succeeds.
  while (answer['type'] !== 'success') answer = await member.get('POST', `/threads/${id}/commands`, order);
  writeFileSync(gate, '');
  await as('ada').get('GET', `/threads/${id}/runs/${first.run_id}/join`);
  for (;;) {
    const runs = await as('ada').get<{ run_id: string }[]>('GET', `/threads/${id}/runs`);
    const next = runs.find(({ run_id }) => run_id !== first.run_id);
    if (next === undefined) continue;
    await as('ada').get('GET', `/threads/${id}/runs/${next.run_id}/join`);
    break;
  }
  const { values } = await as('ada').get<{ values: Body }>('GET', `/threads/${id}/state`);
  expect(values['users']).toEqual(['ada', 'bob']);
});

describe('the existence of a record', () => {
  it('is not revealed if the authorization handler for assistants denies access', async () => {
    const { assistant_id: hers } = await as('ada').get<{ assistant_id: string }>('POST', '/assistants', {
      graph_id: 'whoami',
    });
    for (const answer of ['return false;', 'return { owner: user.identity };', 'throw new Error("no");']) {
      const who = as('bob', `if (event === 'assistants:read') { ${answer} } return { owner: user.identity };`);
      for (const spelled of [hers, hers.toUpperCase()]) {
        const unknown = spelled === hers ? randomUUID() : randomUUID().toUpperCase();
        const [one, none] = [
          await who.call('POST', '/runs', { ...run, assistant_id: spelled }),
          await who.call('POST', '/runs', { ...run, assistant_id: unknown }),
        ];
        expect([one.status, one.text.replace(spelled, 'ID')]).toEqual([none.status, none.text.replace(unknown, 'ID')]);
        expect(one.status).toBeGreaterThanOrEqual(400);
      }
    }
  });

  it('is not revealed by the store: a hidden item looks like a missing one', async () => {
    const ofWhom = (name: string) => as(name, 'return { owner: user.identity };');
    await ofWhom('ada').get('PUT', '/store/items', { namespace: ['shared'], key: 'hers', value: { owner: 'ada' } });
    const bob = ofWhom('bob');
    const asked = async (key: string) => [
      await bob.call('GET', `/store/items?namespace=shared&key=${key}`),
      await bob.call('DELETE', '/store/items', { namespace: ['shared'], key }),
      await bob.call('PUT', '/store/items', { namespace: ['shared'], key, value: { owner: 'ada' } }),
    ];
    const plain = (answers: { status: number; text: string }[]) => answers.map(({ status, text }) => [status, text]);
    expect(plain(await asked('hers'))).toEqual(plain(await asked('nobody’s')));
    expect(await ofWhom('ada').get('GET', '/store/items?namespace=shared&key=hers')).toMatchObject({
      value: { owner: 'ada' },
    });
  });
});

it('the open stream of a deleted thread sends no events of a new thread that another user creates with the same id', async () => {
  const { thread_id: id } = await as('bob').get<Run>('POST', '/threads', { metadata: { graph_id: 'whoami' } });
  const stream = await as('bob').open('GET', `/threads/${id}/stream?stream_mode=state_update`);
  await as('bob').get('POST', `/threads/${id}/state`, { values: { text: 'of bob' }, as_node: 'say' });
  await as('bob').get('DELETE', `/threads/${id}`);
  await as('ada').get('POST', '/threads', { thread_id: id, metadata: { graph_id: 'whoami' } });
  await as('ada').get('POST', `/threads/${id}/state`, { values: { text: 'secret of ada' }, as_node: 'say' });
  const texts: string[] = [];
  try {
    for await (const chunk of stream.body as unknown as AsyncIterable<Uint8Array>)
      texts.push(new TextDecoder().decode(chunk));
  } catch {
    // The server closed the stream.
  }
  expect(texts.join('')).not.toContain('secret of ada');
});
