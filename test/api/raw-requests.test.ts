import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { resolve } from 'node:path';
import { WebSocket } from 'ws';
import { Random } from '../chaos/random.js';
import { ServiceProcesses, type ServiceProcess } from '../support/house.js';
import { exchange, upgradeOf, type ExchangeOptions } from '../support/raw-http.js';

const SEED = 20_261_130;
/** Number of broken inputs that each server gets. */
const INPUTS = 800;
const AT_ONCE = 32;

/**
 * The first project has no HTTP app of its own. Each other project has one: a Hono app, an Express
 * app, or a `fetch` function. The code of such an app runs before the routes of the API.
 */
const PROJECTS = ['filters', 'hono', 'express-open', 'fetch'] as const;
const houses = new Map<string, ServiceProcesses>();
const apis = new Map<string, ServiceProcess>();
let worker: ServiceProcess;

beforeAll(async () => {
  const started = PROJECTS.map(async (name) => {
    const house = new ServiceProcesses(resolve(`test/fixtures/projects/server/${name}.json`));
    houses.set(name, house);
    apis.set(name, await house.api());
    if (name === 'express-open') worker = await house.worker();
  });
  await Promise.all(started);
}, 120_000);
afterAll(() => Promise.all([...houses.values()].map((house) => house.stop())));

const api = (name: string) => {
  const found = apis.get(name);
  if (found === undefined) throw new Error(`${name} does not run`);
  return found;
};
const request = (line: string, ...headers: string[]) =>
  `${[line, 'Connection: close', ...headers].join('\r\n')}\r\n\r\n`;
const statusOf = async (name: string, bytes: string) => (await exchange(api(name).url, bytes)).statuses[0];

describe.each(PROJECTS)('a server with the project %s', (name) => {
  it.each(['//', '//evil.example/threads', '/threads/%zz/stream/events', 'nowhere', 'http://[/threads'])(
    'reports an error for an upgrade request to %s, and continues to serve other requests',
    async (path) => {
      const { statuses, text } = await exchange(api(name).url, upgradeOf(path, { Authorization: 'Bearer ada' }));
      // A path of the form `/threads/…/stream/events` takes WebSockets. So the server completes the
      // upgrade (101), and reports the invalid thread id over the WebSocket.
      const isThread = path.startsWith('/threads');
      expect([path, statuses[0]]).toEqual([path, isThread ? 101 : 400]);
      if (isThread) expect(text).toContain('thread_id: ');
      expect((await fetch(`${api(name).url}/ok`)).status).toBe(200);
    },
  );

  it.each(['[', 'a b', '', 'a/b', 'user@localhost', 'localhost:port', '[::1', 'localhost:99999'])(
    'refuses a request with the Host header %j',
    async (host) => {
      expect(await statusOf(name, request('GET /ok HTTP/1.1', `Host: ${host}`))).toBe(400);
      expect(await statusOf(name, upgradeOf(`/threads/${randomUUID()}/stream/events`, { Host: host }))).toBe(400);
    },
  );

  it.each([
    ['two Host headers', request('GET /ok HTTP/1.1', 'Host: localhost', 'Host: evil.example'), 400],
    ['a target with two slashes', request('GET // HTTP/1.1', 'Host: localhost'), 400],
    ['a target on another host', request('GET //evil.example/ok HTTP/1.1', 'Host: localhost'), 400],
    ['the method TRACE', request('TRACE / HTTP/1.1', 'Host: localhost'), 405],
    ['the method TRACE on a known path', request('TRACE /threads HTTP/1.1', 'Host: localhost'), 405],
    ['a target in absolute form', request('GET http://localhost/ok HTTP/1.1', 'Host: localhost'), 200],
    ['HTTP/1.0 and no Host header', 'GET /ok HTTP/1.0\r\n\r\n', 200],
    [
      'invalid percent escapes',
      request('GET /assistants/%zz HTTP/1.1', 'Host: localhost', 'Authorization: Bearer a'),
      400,
    ],
  ])('answers a request that has %s with the right status', async (_what, bytes, status) => {
    expect(await statusOf(name, bytes)).toBe(status);
  });

  it('names the allowed methods of a path when it refuses TRACE', async () => {
    const { text } = await exchange(api(name).url, request('TRACE /threads/search HTTP/1.1', 'Host: localhost'));
    expect(text).toMatch(/^Allow: POST\r$/m);
  });

  it(`survives ${INPUTS} broken requests and upgrades, and answers none of them with 500 or more`, async () => {
    const { url, pid, log, ending } = api(name);
    const random = new Random(SEED, name);
    const faults: string[] = [];
    const inputs = Array.from({ length: INPUTS }, () => brokenInput(random));
    await Promise.all(
      Array.from({ length: AT_ONCE }, async (_, lane) => {
        for (let at = lane; at < inputs.length; at += AT_ONCE) {
          const { bytes, ...options } = inputs[at] as Input;
          const { statuses } = await exchange(url, bytes, { ...options, closeAfterMs: 300 });
          if (statuses.some((status) => status >= 500)) faults.push(`${statuses.join()}: ${bytes.toString('latin1')}`);
        }
      }),
    );
    expect(faults).toEqual([]);
    expect(ending()).toBeUndefined();
    expect(log()).not.toMatch(/uncaught exception|unhandled rejection|listener of a/);
    expect((await fetch(`${url}/ok`)).status).toBe(200);
    expect(api(name).pid).toBe(pid);
    expect(worker.ending()).toBeUndefined();
  }, 120_000);
});

interface Input extends Pick<ExchangeOptions, 'afterFirstAnswer' | 'reset'> {
  bytes: Buffer;
}

const ID = '00000000-0000-4000-8000-000000000001';
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD', 'TRACE', 'CONNECT', 'PURGE', 'PRI', 'get'];
const TARGETS = [
  ...['/', '//', '*', '', '/ok', '/\\evil', '/%', '/%00', '/..//..', '/threads?metadata=%', '?', '#', 'localhost:80'],
  ...[`/threads/${ID}`, `/threads/${ID}/stream/events`, `/threads/%zz/stream/events`, '/threads/%00/stream/events'],
  ...[
    '/threads/search',
    '/runs/stream',
    '/store/items?namespace=a&key=b',
    '/store/items?namespace[]=a',
    '/docs',
    '/runs',
  ],
  ...['http://localhost/ok', 'http://[', 'http:///ok', 'https://a@b/', '/assistants/%F0%9F', '/?__proto__[a]=1'],
];
const HEADERS = [
  ...['Host: localhost', 'Host: [', 'Host:', 'Host: a b', 'Host: évil', 'Authorization: Bearer ada'],
  ...[
    'Upgrade: websocket',
    'Upgrade: h2c',
    'Connection: Upgrade',
    'Connection: close',
    'Connection: keep-alive, Upgrade',
  ],
  ...['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Version: 99', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='],
  ...['Sec-WebSocket-Key: x', 'Sec-WebSocket-Extensions: permessage-deflate; ;', 'Sec-WebSocket-Protocol: ,,'],
  ...[
    'Content-Length: 5',
    'Content-Length: -1',
    'Content-Length: 1, 2',
    'Transfer-Encoding: chunked',
    'Expect: 100-continue',
  ],
  ...['Expect: nothing', 'Origin: null', 'Origin: https://evil.example', 'Last-Event-ID: x', 'Idempotency-Key: \u00e9'],
  ...[
    'Content-Type: text/plain; charset=x',
    'Content-Encoding: gzip',
    'Content-Encoding: br',
    'X-Empty:',
    'Cookie: a;;=',
  ],
  ...['x-auth-scheme: langsmith', 'Accept: \u0001', `X-Long: ${'a'.repeat(20_000)}`, 'Range: bytes=-', 'If-Match: *'],
];
const BODIES = [
  '',
  '{}',
  '{',
  'null',
  '[]',
  '"a"',
  '5\r\nhello\r\n0\r\n\r\n',
  'fffffffff\r\n',
  '\u0000',
  '{"a":"\\ud800"}',
];
const COMMANDS = [
  ...['{}', '[]', 'null', '"', '{"id":1,"method":"run.start"}', '{"id":1,"method":"constructor","params":{}}'],
  ...['{"id":1,"method":"__proto__"}', '{"id":1,"method":"subscription.subscribe","params":{"channels":["values"]}}'],
  ...['{"id":-1,"method":"state.get"}', '{"id":1,"method":"state.get","params":{"namespace":["a"]}}'],
];

/**
 * Returns a random input: an upgrade request with frames that may be broken, or a request whose
 * parts do not fit together. Some bytes of the request may be changed, and its end may be cut off.
 */
function brokenInput(random: Random): Input {
  const reset = random.chance(0.1);
  if (random.chance(0.25)) {
    const headers = { Authorization: 'Bearer ada', ...(random.chance(0.3) && { Origin: 'null' }) };
    const frames = Array.from({ length: random.between(1, 4) }, () => frame(random));
    return {
      bytes: Buffer.from(upgradeOf(`/threads/${ID}/stream/events`, headers)),
      afterFirstAnswer: Buffer.concat(frames),
      reset,
    };
  }
  const version = random.chance(0.9) ? 'HTTP/1.1' : random.pick(['HTTP/1.0', 'HTTP/2.0', 'HTTP/9', '']);
  const headers = Array.from({ length: random.between(0, 7) }, () => random.pick(HEADERS));
  if (random.chance(0.7)) headers.unshift('Host: localhost');
  if (random.chance(0.8)) headers.push('Connection: close');
  const text = `${random.pick(METHODS)} ${random.pick(TARGETS)} ${version}\r\n${headers.join('\r\n')}\r\n\r\n${random.pick(BODIES)}`;
  const bytes = Buffer.from(random.chance(0.2) ? text.repeat(2) : text, 'latin1');
  if (random.chance(0.4)) {
    for (let n = random.between(1, 4); n > 0; n -= 1)
      bytes[random.between(0, bytes.length - 1)] = random.between(0, 255);
  }
  return { bytes: random.chance(0.1) ? bytes.subarray(0, random.between(0, bytes.length)) : bytes, reset };
}

/**
 * Returns a WebSocket frame of a client. Its first byte, its mask bit and its length may be wrong.
 * Its mask is zero, so that the payload needs no encoding.
 */
function frame(random: Random): Buffer {
  const body = Buffer.from(random.pick(COMMANDS));
  const first = random.chance(0.6) ? 0x81 : random.between(0, 255);
  const length = random.chance(0.8) ? body.length : random.between(0, 125);
  const masked = random.chance(0.9) ? 0x80 : 0;
  return Buffer.concat([Buffer.from([first, masked | length, 0, 0, 0, 0]), body]);
}

it("an uncaught exception in a project's code ends neither the API nor the worker", async () => {
  const { url, log, ending } = api('express-open');
  expect((await fetch(`${url}/custom/slip`)).status).toBe(202);
  const run = { assistant_id: 'slips', input: {} };
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${url}/runs/wait`, { method: 'POST', headers, body: JSON.stringify(run) });
  expect(await answer.json()).toMatchObject({ text: 'done' });
  expect(log()).toContain('uncaught exception: Error: slipped in an app');
  expect(worker.log()).toContain('uncaught exception: Error: slipped in a node');
  expect([ending(), worker.ending()]).toEqual([undefined, undefined]);
});

describe('a client that resets its connection', () => {
  it.each(['/nowhere', `/threads/${ID}/stream/events`, '//'])(
    'does not affect the server if it does so during an upgrade request for %s',
    async (path) => {
      const { url, ending, log } = api('filters');
      for (let n = 0; n < 20; n += 1) await exchange(url, upgradeOf(path), { reset: true });
      expect((await fetch(`${url}/ok`)).status).toBe(200);
      expect(ending()).toBeUndefined();
      expect(log()).not.toContain('uncaught exception');
    },
  );
});

describe('a refused WebSocket', () => {
  it('is soon disconnected by the server if its client does not answer the close frame', async () => {
    const { url } = api('filters');
    const refused = Array.from({ length: 50 }, () => {
      const { hostname, port } = new URL(url);
      const socket = connect({ host: hostname, port: Number(port) });
      socket.write(upgradeOf('/threads/none/stream/events', { Authorization: 'Bearer ada' }));
      socket.resume();
      return once(socket, 'close');
    });
    // Unlike clients of the package `ws`, these clients do not answer the close frame. So only the
    // server can end the connections.
    await Promise.all(refused);
  });
});

describe('the connections of one IP address', () => {
  it('are limited in number: a connection over the limit gets 429 until another one has closed', async () => {
    const house = new ServiceProcesses(resolve('test/fixtures/projects/server/filters.json'), {
      COLLOQUY_CONNECTIONS_PER_ADDRESS: '20',
    });
    try {
      const { url } = await house.api();
      const socketUrl = `${url.replace('http', 'ws')}/threads/${randomUUID()}/stream/events`;
      const open = () => new WebSocket(socketUrl, { headers: { authorization: 'Bearer ada' } });
      const sockets = Array.from({ length: 20 }, open);
      await Promise.all(sockets.map((socket) => once(socket, 'open')));
      const { text } = await exchange(url, request('GET /ok HTTP/1.1', 'Host: localhost'));
      expect(text).toMatch(/^HTTP\/1\.1 429 .*127\.0\.0\.1 has 20 connections, which is the limit/s);
      expect((await exchange(url, upgradeOf(new URL(socketUrl).pathname))).statuses).toEqual([429]);
      const [first, ...others] = sockets;
      first?.close();
      await once(first as WebSocket, 'close');
      const answers: number[] = [];
      while (answers.at(-1) !== 200)
        answers.push((await exchange(url, request('GET /ok HTTP/1.1', 'Host: localhost'))).statuses[0] ?? 0);
      others.forEach((socket) => socket.terminate());
    } finally {
      await house.stop();
    }
  }, 60_000);
});
