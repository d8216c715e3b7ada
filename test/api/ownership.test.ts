import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { v5 as uuid5 } from '@langchain/core/utils/uuid';
import { WebSocket } from 'ws';
import { HttpUser } from '../support/http-user.js';
import { ServiceProcesses } from '../support/house.js';

const folder = mkdtempSync(join(tmpdir(), 'colloquy-tokens-'));
const revoked = join(folder, 'revoked');
writeFileSync(revoked, '');
const house = new ServiceProcesses(resolve('test/fixtures/projects/server/owned.json'), {
  TEST_REVOKED_TOKENS: revoked,
  COLLOQUY_ACCESS_CHECK_MS: '200',
  // When the worker stops, it waits at most this long for active runs. Some runs of these tests
  // never end, so a longer wait would only cost time.
  COLLOQUY_SHUTDOWN_GRACE_MS: '100',
});
let url: string;
const as = (token: string) => new HttpUser(url, token);
let [ada, bob, root] = [new HttpUser('', ''), new HttpUser('', ''), new HttpUser('', '')];

beforeAll(async () => {
  const [, api] = await Promise.all([house.worker(), house.api()]);
  ({ url } = api);
  [ada, bob, root] = [as('ada'), as('bob'), as('root')];
}, 60_000);
afterAll(async () => {
  await house.stop();
  rmSync(folder, { recursive: true });
});

const run = { assistant_id: 'whoami', input: { text: 'secret of ada' } };
type Run = { run_id: string; thread_id: string; metadata: Record<string, unknown> };

describe('an idempotency key', () => {
  it.each(['/runs', '/runs/wait', '/runs/stream', '/runs/batch'])(
    'is separate for each user: a key that another user has sent starts a new run (POST %s)',
    async (path) => {
      const key = { 'idempotency-key': randomUUID() };
      const body = path === '/runs/batch' ? [run] : run;
      const [mine, again] = [await ada.call('POST', path, body, key), await ada.call('POST', path, body, key)];
      const others = await bob.call('POST', path, body, key);
      const places = [mine, again, others].map(({ headers, text, json }) =>
        path === '/runs/batch' ? (json as Run[])[0]?.run_id : (headers.get('content-location') ?? text),
      );
      expect(places[1]).toBe(places[0]);
      expect(places[2]).not.toBe(places[0]);
      expect(others.text).not.toContain('"ada"');
    },
  );

  it('starts a separate run for each user on a thread that changes its owner', async () => {
    const { thread_id: id } = await root.get<Run>('POST', '/threads', {});
    const key = { 'idempotency-key': randomUUID() };
    const start = async (who: HttpUser) => (await who.call('POST', `/threads/${id}/runs`, run, key)).json as Run;
    await root.get('PATCH', `/threads/${id}`, { metadata: { owner: 'ada' } });
    const [first, again] = [await start(ada), await start(ada)];
    await root.get('PATCH', `/threads/${id}`, { metadata: { owner: 'bob' } });
    const third = await start(bob);
    expect(again.run_id).toBe(first.run_id);
    expect(third.run_id).not.toBe(first.run_id);
  });

  it('gives the run an id that a client cannot compute from the key', async () => {
    const key = randomUUID();
    const { run_id: id } = (await ada.call('POST', '/runs', run, { 'idempotency-key': key })).json as Run;
    const guesses = ['default/', 'default/ada/', 'default/user/ada/', 'ada/', ''].map((prefix) =>
      uuid5(`${prefix}${key}`, 'a7b0a3a5-6a52-5c9b-8a55-0d1c6f0a7e11'),
    );
    expect(guesses).not.toContain(id);
  });
});

describe('two users who create a thread with the same id at the same time', () => {
  it('get one thread: it belongs to the user whose request came first, and every request of the other user fails', async () => {
    for (let round = 0; round < 15; round += 1) {
      const id = randomUUID();
      const body = { ...run, if_not_exists: 'create' };
      const [made, ran, asked] = await Promise.all([
        ada.call('POST', '/threads', { thread_id: id, metadata: { note: 'of ada' } }),
        bob.call('POST', `/threads/${id}/runs`, body),
        bob.call('POST', '/threads', { thread_id: id, if_exists: 'do_nothing' }),
      ]);
      const { metadata } = await root.get<Run>('GET', `/threads/${id}`);
      if (metadata['owner'] === 'ada') expect([made.status, ran.status, asked.status]).toEqual([200, 404, 409]);
      else expect([made.status, ran.status, asked.status]).toEqual([409, 200, 200]);
    }
  }, 60_000);
});

describe('the store namespace that an authorization handler sets', () => {
  it('is used to search, read, write and delete items, and to list namespaces', async () => {
    for (const who of [ada, bob]) {
      await who.get('PUT', '/store/items', { namespace: ['notes'], key: 'k', value: { text: `note of ${who.token}` } });
      await who.get('PUT', '/store/items', {
        namespace: ['other'],
        key: 'k',
        value: { text: `other of ${who.token}` },
      });
    }
    const found = async (who: HttpUser, body: object) => {
      const { items } = await who.get<{ items: { value: { text: string } }[] }>('POST', '/store/items/search', body);
      return items.map(({ value }) => value.text).sort();
    };
    expect(await found(bob, { namespace_prefix: [] })).toEqual(['note of bob', 'other of bob']);
    expect(await found(bob, { namespace_prefix: ['notes'] })).toEqual(['note of bob']);
    expect(await found(bob, { namespace_prefix: ['ada'] })).toEqual([]);
    expect(await found(bob, { namespace_prefix: [], query: 'note of ada' })).toEqual(['note of bob', 'other of bob']);
    expect(await found(bob, { namespace_prefix: [], filter: { text: 'note of ada' } })).toEqual([]);
    // In requests of the user `root`, the auth handler replaces the namespace by an empty one. So
    // the search of `root` finds the items of all users.
    expect(await found(root, { namespace_prefix: ['bob'] })).toHaveLength(4);
    const listed = async (who: HttpUser, body: object) =>
      (await who.get<{ namespaces: string[][] }>('POST', '/store/namespaces', body)).namespaces;
    expect(await listed(bob, {})).toEqual([
      ['bob', 'notes'],
      ['bob', 'other'],
    ]);
    expect(await listed(bob, { prefix: ['notes'] })).toEqual([['bob', 'notes']]);
    expect(await listed(bob, { prefix: ['ada'], suffix: ['notes'] })).toEqual([]);
    expect(await listed(root, { prefix: ['bob'] })).toHaveLength(4);
    await bob.get('DELETE', '/store/items', { namespace: ['notes'], key: 'k' });
    expect(await ada.get('GET', '/store/items?namespace=notes&key=k')).toMatchObject({
      value: { text: 'note of ada' },
    });
  });

  it('is refused if a label contains a dot, because the dot would split it into two labels', async () => {
    await ada.get('PUT', '/store/items', { namespace: ['notes', 'deep'], key: 'k', value: { text: 'of ada' } });
    const dotted = as('ada.notes');
    const answers = [
      await dotted.call('GET', '/store/items?namespace=deep&key=k'),
      await dotted.call('POST', '/store/items/search', { namespace_prefix: ['deep'] }),
      await dotted.call('DELETE', '/store/items', { namespace: ['deep'], key: 'k' }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([422, 422, 422]);
    expect(answers.map(({ text }) => text).join()).not.toContain('of ada');
  });

  it('does not replace an invalid namespace: a request with a string instead of a list of labels is refused', async () => {
    for (const [method, path, body] of [
      ['PUT', '/store/items', { namespace: 'abc', key: 'k', value: {} }],
      ['DELETE', '/store/items', { namespace: 'abc', key: 'k' }],
      ['POST', '/store/items/search', { namespace_prefix: 'abc' }],
      ['POST', '/store/namespaces', { prefix: 'abc' }],
      ['POST', '/store/namespaces', { namespace: ['abc'] }],
      ['POST', '/store/items/search', {}],
    ] as const) {
      const { status } = await root.call(method, path, body);
      // Only the last request gets 200: it contains no namespace, so the handler sets one. The
      // other requests contain an invalid value. They are refused, for root and for bob.
      expect([method, path, (await bob.call(method, path, body)).status]).toEqual([
        method,
        path,
        status === 200 ? 200 : 422,
      ]);
    }
    expect((await bob.call('POST', '/store/items/search', { namespace_prefix: 'abc' })).status).toBe(422);
  });
});

describe('an assistant of another user', () => {
  let assistant: string;
  let thread: string;
  beforeAll(async () => {
    const config = { configurable: { prompt: 'system prompt of ada' } };
    const body = { graph_id: 'asks', config, context: { of: 'ada' }, metadata: { note: 'of ada' } };
    assistant = String((await ada.get('POST', '/assistants', body))['assistant_id']);
    thread = (await bob.get<Run>('POST', '/threads', {})).thread_id;
  });
  const never = () => ({ assistant_id: assistant, schedule: '0 0 1 1 *' });

  it.each([
    ['a run', () => bob.call('POST', `/threads/${thread}/runs`, { assistant_id: assistant, input: {} })],
    [
      'a run that waits',
      () => bob.call('POST', `/threads/${thread}/runs/wait`, { assistant_id: assistant, input: {} }),
    ],
    [
      'a run that streams',
      () => bob.call('POST', `/threads/${thread}/runs/stream`, { assistant_id: assistant, input: {} }),
    ],
    ['a stateless run', () => bob.call('POST', '/runs', { assistant_id: assistant, input: {} })],
    ['a stateless run that waits', () => bob.call('POST', '/runs/wait', { assistant_id: assistant, input: {} })],
    ['a stateless run that streams', () => bob.call('POST', '/runs/stream', { assistant_id: assistant, input: {} })],
    ['a batch', () => bob.call('POST', '/runs/batch', [run, { assistant_id: assistant, input: {} }])],
    ['a cron', () => bob.call('POST', '/runs/crons', never())],
    ['a cron of a thread', () => bob.call('POST', `/threads/${thread}/runs/crons`, never())],
  ])('is not found by %s; the answer is the same as for a missing assistant', async (_what, go) => {
    const { status, text } = await go();
    expect([status, text]).toEqual([
      404,
      `Assistant not found: No assistant found for "${assistant}", neither by id nor by graph`,
    ]);
    expect(text).not.toContain('of ada');
  });

  it('is not found by a command of protocol v2, neither over HTTP nor over a WebSocket', async () => {
    const order = { id: 1, method: 'run.start', params: { assistant_id: assistant, input: {} } };
    const overHttp = await bob.get('POST', `/threads/${thread}/commands`, order);
    const overSocket = JSON.parse(await told(bob, thread, order)) as object;
    for (const answer of [overHttp, overSocket])
      expect(answer).toMatchObject({
        type: 'error',
        message: expect.stringContaining(`No assistant found for "${assistant}"`),
      });
    expect(await bob.get('GET', `/threads/${thread}/runs`)).toEqual([]);
  });

  it('is not found by input.respond or state.fork, even if the user now owns the thread on which the assistant ran', async () => {
    const { thread_id: given } = await ada.get<Run>('POST', '/threads', {});
    await ada.get('POST', `/threads/${given}/runs/wait`, { assistant_id: assistant, input: {} });
    const { interrupts } = await ada.get<{ interrupts: Record<string, { id: string }[]> }>('GET', `/threads/${given}`);
    const [question] = Object.values(interrupts).flat();
    await root.get('PATCH', `/threads/${given}`, { metadata: { owner: 'bob' } });
    const states = await bob.get<{ checkpoint: { checkpoint_id: string } }[]>('GET', `/threads/${given}/history`);
    for (const [method, params] of [
      ['input.respond', { interrupt_id: question?.id, response: 'x' }],
      ['state.fork', { checkpoint_id: states[0]?.checkpoint.checkpoint_id }],
    ] as const) {
      const answer = await bob.get('POST', `/threads/${given}/commands`, { id: 1, method, params });
      expect(answer).toMatchObject({ type: 'error', message: expect.stringContaining('No assistant found') });
    }
  });

  it('can be used by the user who created it; a system assistant can be used by every user', async () => {
    expect((await ada.call('POST', '/runs/wait', { assistant_id: assistant, input: {} })).status).toBe(200);
    expect((await bob.call('POST', '/runs/wait', run)).status).toBe(200);
    const cron = await bob.get('POST', '/runs/crons', { ...never(), assistant_id: 'whoami' });
    await bob.get('DELETE', `/runs/crons/${String(cron['cron_id'])}`);
  });
});

/**
 * Opens a new WebSocket for a thread and sends a command. Returns the first message that the server
 * sends.
 */
async function told(who: HttpUser, thread: string, order: object): Promise<string> {
  const socket = socketOf(who, thread);
  await once(socket, 'open');
  const message = once(socket, 'message') as Promise<[Buffer]>;
  socket.send(JSON.stringify(order));
  const [text] = await message;
  socket.close();
  return text.toString('utf8');
}

function socketOf(who: HttpUser, thread: string, headers: Record<string, string> = {}): WebSocket {
  const address = `${url.replace('http', 'ws')}/threads/${thread}/stream/events`;
  return new WebSocket(address, { headers: { authorization: `Bearer ${who.token}`, ...headers } });
}

const ALL = { channels: ['values', 'updates', 'messages', 'lifecycle', 'input'] };

/** Reads a stream to its end. Returns its text. */
async function textOf(response: Response): Promise<string> {
  const chunks: string[] = [];
  const decoder = new TextDecoder();
  try {
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) chunks.push(decoder.decode(chunk));
  } catch {
    // The server closed the stream.
  }
  return chunks.join('');
}

describe('a stream that waits for a thread', () => {
  it('sends the events to the owner of the thread, and none to others who waited for the same thread id', async () => {
    const id = randomUUID();
    const [hers, his] = await Promise.all(
      [ada, bob].map((who) => who.open('POST', `/threads/${id}/stream/events`, ALL)),
    );
    const socket = socketOf(bob, id);
    const heard: string[] = [];
    socket.on('message', (data: Buffer) => heard.push(data.toString('utf8')));
    await once(socket, 'open');
    socket.send(JSON.stringify({ id: 1, method: 'subscription.subscribe', params: ALL }));
    await once(socket, 'message');
    const closed = once(socket, 'close') as Promise<[number]>;
    await ada.get('POST', `/threads/${id}/runs/wait`, { ...run, if_not_exists: 'create' });
    expect(await textOf(his as Response)).not.toMatch(/data:/);
    const [code] = await closed;
    expect(code).toBe(4404);
    expect(heard.join()).not.toContain('secret of ada');
    await ada.get('GET', `/threads/${id}`);
    const reader = (hers as Response).body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toContain('event: ');
    await reader?.cancel();
  });
});

describe('an open stream', () => {
  const kinds: [string, (who: HttpUser, thread: string, run: string) => Promise<Response>][] = [
    ['of a thread', (who, thread) => who.open('GET', `/threads/${thread}/stream`)],
    ['of a run', (who, thread, id) => who.open('GET', `/threads/${thread}/runs/${id}/stream`)],
    ['of protocol v2', (who, thread) => who.open('POST', `/threads/${thread}/stream/events`, ALL)],
    ['that waits for a run', (who, thread, id) => who.open('GET', `/threads/${thread}/runs/${id}/join`)],
    [
      'of a run that the same request started',
      (who, thread) => who.open('POST', `/threads/${thread}/runs/stream`, { ...run, assistant_id: 'waits' }),
    ],
  ];
  let count = 0;

  it.each(kinds)('%s ends when the token of its client expires', async (_kind, open) => {
    const token = `ada#${(count += 1)}`;
    const thread = (await ada.get<Run>('POST', '/threads', {})).thread_id;
    const { run_id: id } = await ada.get<Run>('POST', `/threads/${thread}/runs`, { ...run, assistant_id: 'waits' });
    const response = await open(as(token), thread, id);
    expect(response.status).toBe(200);
    writeFileSync(revoked, token, { flag: 'a' });
    writeFileSync(revoked, '\n', { flag: 'a' });
    await textOf(response);
    expect((await open(as(token), thread, id)).status).toBe(401);
    await ada.get('POST', `/threads/${thread}/runs/${id}/cancel?wait=1`);
  });

  it.each(kinds)('%s ends when its client loses the right to read the thread', async (_kind, open) => {
    const thread = (await ada.get<Run>('POST', '/threads', {})).thread_id;
    const { run_id: id } = await ada.get<Run>('POST', `/threads/${thread}/runs`, { ...run, assistant_id: 'waits' });
    const response = await open(ada, thread, id);
    expect(response.status).toBe(200);
    await root.get('PATCH', `/threads/${thread}`, { metadata: { owner: 'bob' } });
    await textOf(response);
    expect((await open(ada, thread, id)).status).toBe(404);
    await root.get('POST', `/threads/${thread}/runs/${id}/cancel?wait=1`);
  });

  it.each([
    ['its token expires', 4401, (token: string) => writeFileSync(revoked, `${token}\n`, { flag: 'a' })],
    [
      'its user may no longer read the thread',
      4404,
      async (_token: string, thread: string) => root.get('PATCH', `/threads/${thread}`, { metadata: { owner: 'bob' } }),
    ],
  ] as const)('over a WebSocket is closed when %s', async (_why, expected, end) => {
    const token = `ada#${(count += 1)}`;
    const thread = (await ada.get<Run>('POST', '/threads', {})).thread_id;
    const socket = socketOf(as(token), thread);
    await once(socket, 'open');
    const closed = once(socket, 'close') as Promise<[number]>;
    await end(token, thread);
    expect((await closed)[0]).toBe(expected);
  });

  it("stays open after many checks of the user's rights if these rights have not changed", async () => {
    const thread = (await ada.get<Run>('POST', '/threads', {})).thread_id;
    const response = await ada.open('GET', `/threads/${thread}/stream`);
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    const texts: string[] = [];
    // The server checks the user's rights every 200 ms (COLLOQUY_ACCESS_CHECK_MS), so it checks
    // them several times during these six runs.
    for (let n = 0; n < 6; n += 1) await ada.get('POST', `/threads/${thread}/runs/wait`, run);
    while (texts.join('').split('run_done').length <= 6)
      texts.push(new TextDecoder().decode((await reader.read()).value));
    await reader.cancel();
  });
});

describe('the existence of a thread', () => {
  it('is not revealed by pruning, because a thread of another user counts as missing', async () => {
    const { thread_id: hers } = await ada.get<Run>('POST', '/threads', {});
    const { thread_id: his } = await bob.get<Run>('POST', '/threads', {});
    expect(await bob.get('POST', '/threads/prune', { thread_ids: [hers] })).toEqual({ pruned_count: 0 });
    expect(await bob.get('POST', '/threads/prune', { thread_ids: [randomUUID()] })).toEqual({ pruned_count: 0 });
    expect(await bob.get('POST', '/threads/prune', { thread_ids: [hers, his, randomUUID()] })).toEqual({
      pruned_count: 1,
    });
    expect((await ada.call('GET', `/threads/${hers}`)).status).toBe(200);
    expect((await bob.call('GET', `/threads/${his}`)).status).toBe(404);
  });
});
