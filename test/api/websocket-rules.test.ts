import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createRequire } from 'node:module';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import type { HttpCustomization } from '../../api/context.js';
import { ApiFixture } from '../support/api-server.js';
import { exchange, upgradeOf } from '../support/raw-http.js';

let api: ApiFixture;
beforeAll(async () => {
  api = await ApiFixture.start('websocket_rules');
});
afterAll(() => api.stop());

/**
 * Opens a WebSocket. Returns `open` if the server accepts it. Otherwise returns the close code, or
 * the HTTP status if the server refuses the upgrade.
 */
async function opened(url: string, headers: Record<string, string> = {}, query = ''): Promise<'open' | number> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/threads/${randomUUID()}/stream/events${query}`, {
    headers,
  });
  const ways = [
    once(socket, 'close').then(([code]) => code as number),
    once(socket, 'unexpected-response').then(([, response]) => (response as { statusCode: number }).statusCode),
    // The server may complete the upgrade of a WebSocket that it refuses, and close it right after.
    // So only the answer to a command shows that the WebSocket was accepted.
    once(socket, 'open').then(async () => {
      socket.send(JSON.stringify({ id: 1, method: 'subscription.subscribe', params: { channels: ['values'] } }));
      await once(socket, 'message');
      return 'open' as const;
    }),
  ];
  ways.forEach((way) => way.catch(() => undefined));
  const way = await Promise.race(ways);
  socket.terminate();
  return way;
}

const EVIL = { origin: 'https://evil.example' };

describe('the origin of a WebSocket', () => {
  const listen = (http: HttpCustomization, corsOrigins = ['*']) => api.listen({ corsOrigins }, { http });

  it('is checked against the list of origins that the project allows', async () => {
    const url = await listen({ disabled: [], cors: { origins: ['https://good.example'] } });
    expect(await opened(url, EVIL)).toBe(4403);
    expect(await opened(url, { origin: 'null' })).toBe(4403);
    expect(await opened(url, { origin: 'https://good.example' })).toBe('open');
    expect(await opened(url)).toBe('open');
  });

  it('is checked against the origin pattern of the project, and not against the origins in the settings of the API', async () => {
    const url = await listen({ disabled: [], cors: { originPattern: '^https://[a-z]+\\.good\\.example$' } }, [
      EVIL.origin,
    ]);
    expect(await opened(url, EVIL)).toBe(4403);
    expect(await opened(url, { origin: 'https://a.good.example' })).toBe('open');
  });

  it('is checked against the origins in the settings of the API if the project has no rule', async () => {
    const url = await listen({ disabled: [] }, ['https://good.example']);
    expect(await opened(url, EVIL)).toBe(4403);
    expect(await opened(url, { origin: 'https://good.example' })).toBe('open');
    expect(await opened(await listen({ disabled: [] }), EVIL)).toBe('open');
  });
});

describe('the origin of an HTTP request or WebSocket', () => {
  const post = async (url: string, origin: string | undefined, type = 'text/plain') => {
    const headers = { 'content-type': type, ...(origin !== undefined && { origin }) };
    const { status, headers: sent } = await fetch(`${url}/threads`, { method: 'POST', headers, body: '{}' });
    return [status, sent.get('access-control-allow-origin')];
  };

  it('must be a loopback address or a configured origin; requests from other origins are refused', async () => {
    const url = await api.listen({ corsOrigins: ['loopback', 'https://good.example'] });
    for (const origin of [
      'http://localhost:3000',
      'http://127.0.0.1:1',
      'https://[::1]:8080',
      'https://good.example',
      url,
    ])
      expect([origin, await post(url, origin)]).toEqual([origin, [200, origin]]);
    for (const origin of [
      'https://evil.example',
      'null',
      'http://localhost.evil.example',
      'http://127.0.0.1.evil.example',
    ])
      expect([origin, await post(url, origin)]).toEqual([origin, [403, null]]);
    expect(await post(url, undefined)).toEqual([200, null]);
    expect(await opened(url, EVIL)).toBe(4403);
    expect(await opened(url, { origin: 'http://localhost:3000' })).toBe('open');
  });

  it('may be any origin if the settings of the API allow all origins', async () => {
    expect(await post(await api.listen(), 'https://evil.example')).toEqual([200, '*']);
  });
});

it('a WebSocket is not served if the project disables the routes of runs', async () => {
  const url = await api.listen({}, { http: { disabled: ['runs'] } });
  expect(await opened(url)).toBe(404);
  expect((await fetch(`${url}/threads/${randomUUID()}/commands`, { method: 'POST', body: '{}' })).status).toBe(404);
});

describe('the app of a project', () => {
  const require = createRequire(import.meta.url);
  interface HonoLike {
    use(
      handler: (
        c: { req: { query(name: string): string | undefined }; json(body: object, status: number): Response },
        next: () => Promise<void>,
      ) => unknown,
    ): HonoLike;
  }
  const { Hono } = require('hono') as { Hono: new () => HonoLike };
  const express = require('express') as () => {
    use(
      handler: (
        req: { query: { halt?: string } },
        res: { status(code: number): { send(text: string): void } },
        next: () => void,
      ) => void,
    ): unknown;
  };
  const honoApp = () =>
    new Hono().use(async (c, next) => {
      if (c.req.query('halt') !== undefined) return c.json({ halted: true }, 403);
      await next();
    });
  const expressApp = () => {
    const app = express();
    app.use((req, res, next) => (req.query.halt === undefined ? next() : res.status(403).send('halted')));
    return app;
  };
  const fetchApp = () => ({
    fetch: (request: Request) =>
      new Response(null, { status: new URL(request.url).searchParams.has('halt') ? 403 : 404 }),
  });

  it.each([
    ['Hono', honoApp],
    ['Express', expressApp],
    ['fetch', fetchApp],
  ])('of the kind %s can refuse a WebSocket in the same way as an HTTP request', async (_name, make) => {
    const url = await api.listen({}, { http: { disabled: [], app: make() } });
    expect(await opened(url)).toBe('open');
    expect(await opened(url, {}, '?halt')).toBe(4403);
    expect((await fetch(`${url}/threads/search?halt`, { method: 'POST', body: '{}' })).status).toBe(403);
  });
});

describe('the accepted values of the Host header', () => {
  const get = (host: string) => `GET /ok HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`;

  it('are the loopback hosts and the configured hosts, for HTTP and for WebSockets', async () => {
    const url = await api.listen({ allowedHosts: ['box.lan', 'fd00::1'] });
    const path = `/threads/${randomUUID()}/stream/events`;
    const asked = async (host: string) => {
      const [http, socket] = [
        await exchange(url, get(host)),
        await exchange(url, upgradeOf(path, { Host: host }), { closeAfterMs: 200 }),
      ];
      return [http.statuses[0], socket.statuses[0]];
    };
    for (const host of [
      'localhost',
      'LOCALHOST:2024',
      'app.localhost',
      '127.0.0.1',
      '127.1.2.3:80',
      '[::1]:2024',
      'box.lan',
      'BOX.lan:1',
      '[fd00::1]',
    ])
      expect([host, ...(await asked(host))]).toEqual([host, 200, 101]);
    for (const host of [
      'evil.example',
      'evil.example:2024',
      'localhost.evil.example',
      '127.0.0.1.evil.example',
      'xbox.lan',
      '10.0.0.1',
      '[fd00::2]',
    ])
      expect([host, ...(await asked(host))]).toEqual([host, 403, 403]);
    const absolute = `GET http://evil.example/ok HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
    expect((await exchange(url, absolute)).statuses).toEqual([403]);
  });

  it('are all hosts if none is configured', async () => {
    const url = await api.listen();
    expect((await exchange(url, get('evil.example'))).statuses).toEqual([200]);
  });
});

it('a WebSocket answers every command, even if more commands arrive than its queue can hold', async () => {
  const url = await api.listen();
  const socket = new WebSocket(`${url.replace('http', 'ws')}/threads/${randomUUID()}/stream/events`);
  await once(socket, 'open');
  let answers = 0;
  const all = new Promise<void>((resolve) =>
    socket.on('message', () => ((answers += 1) === 500 ? resolve() : undefined)),
  );
  for (let id = 0; id < 500; id += 1) socket.send(JSON.stringify({ id, method: 'state.get', params: {} }));
  await all;
  socket.terminate();
});

it('a WebSocket closes after too many invalid messages, and does not answer the messages that follow', async () => {
  const url = await api.listen();
  const socket = new WebSocket(`${url.replace('http', 'ws')}/threads/${randomUUID()}/stream/events`);
  await once(socket, 'open');
  let answers = 0;
  socket.on('message', () => (answers += 1));
  const closed = once(socket, 'close') as Promise<[number]>;
  for (let n = 0; n < 20_000; n += 1) socket.send('x');
  expect((await closed)[0]).toBe(4422);
  expect(answers).toBeLessThanOrEqual(101);
});

it('a GET request with a body is answered even if a Hono app or a fetch app gets it first', async () => {
  const require = createRequire(import.meta.url);
  const { Hono } = require('hono') as { Hono: new () => object };
  const apps = [new Hono(), { fetch: () => new Response(null, { status: 404 }) }];
  for (const app of apps) {
    const url = await api.listen({}, { http: { disabled: [], app } });
    const bytes = 'GET /info HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}';
    expect((await exchange(url, bytes)).statuses).toEqual([200]);
  }
});
