import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync, readdirSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import express from 'express';
import { Hono } from 'hono';
import { ROUTES } from '../../api/routes.js';
import { ApiFixture } from '../support/api-server.js';
import { exchange, upgradeOf } from '../support/raw-http.js';

const ID = '00000000-0000-4000-8000-000000000001';
const REFUSED = 403;
/** The statuses with which the API answers a path that it does not serve. */
const NOT_SERVED = [400, 404, 405];

const exactOf = (path: string) => path.replace(/:\w+/g, ID);

/**
 * Returns other spellings of a path: those that at least one server or library treats as the same
 * path.
 */
function spellingsOf(path: string): string[] {
  const exact = exactOf(path);
  const letter = path.search(/[a-z]/);
  const escaped = `%${exact.charCodeAt(letter).toString(16)}`;
  const last = exact.lastIndexOf('/');
  return [
    ...[exact.toUpperCase(), exact.slice(0, letter) + exact.charAt(letter).toUpperCase() + exact.slice(letter + 1)],
    ...[`${exact}/`, `${exact}//`, `${exact.slice(0, last)}/${exact.slice(last)}`],
    exact.slice(0, letter) + escaped + exact.slice(letter + 1),
    exact.replace(ID, ID.replace('4', '%34')).replace('/', '/%2e/'),
    ...[`${exact};`, `${exact};a=b`, `${exact}%3b`, `${exact}%3Fa=b`, `${exact}%23`],
    ...[`/.${exact}`, `/x/..${exact}`, `/x/%2E%2e${exact}`, `${exact}/.`, `${exact}/x/..`, `${exact}/%2e`],
    ...[`/\\${exact}`, exact.replaceAll('/', '\\'), `${exact}\\`, `/x\\..${exact}`],
    ...[`${exact}%20`, `${exact}%00`, `${exact}%09`, `${exact}\u00a0`, `${exact}#x`, `${exact}%2f`, `${exact}%`],
  ].filter((one) => one !== exact);
}

/** Sends a request with exactly this path. Returns the status. `fetch` would normalise the path. */
function send(url: string, method: string, path: string): Promise<number> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const outgoing = request({ hostname, port, method, path: '/' }, (answer) => {
      answer.resume();
      resolve(answer.statusCode ?? 0);
    });
    // `request` of Node.js refuses some of these paths, so the path is set afterwards. Other
    // clients can send them.
    (outgoing as unknown as { path: string }).path = path;
    outgoing.on('error', reject);
    outgoing.end(['GET', 'DELETE'].includes(method) ? undefined : '{}');
  });
}

/** The paths of the API in their exact spelling. */
const refused = new Set(ROUTES.map(({ path }) => exactOf(path)));
/** One project app of each kind. Each app refuses all paths of the API in their exact spelling. */
const APPS = {
  Hono: new Hono().use('*', async (c, next) => (refused.has(new URL(c.req.url).pathname) ? c.text('', 403) : next())),
  Express: express().use((req, res, next) => void (refused.has(req.path) ? res.status(REFUSED).end() : next())),
  fetch: {
    fetch: (request: Request) =>
      new Response('', { status: refused.has(new URL(request.url).pathname) ? REFUSED : 404 }),
  },
};

const fixture = await ApiFixture.start('spellings');
afterAll(() => fixture.stop());

describe.each(Object.entries(APPS))("a project's app of the kind %s", (_kind, app) => {
  let url: string;
  beforeAll(async () => {
    url = await fixture.listen({}, { http: { app, disabled: [] } });
  });

  it('gets the requests to all paths of the API', async () => {
    for (const { method, path } of ROUTES) {
      expect([path, await send(url, method.toUpperCase(), exactOf(path))]).toEqual([path, REFUSED]);
    }
  });

  it('cannot be bypassed by another spelling of a path', async () => {
    const passed: string[] = [];
    for (const { method, path } of ROUTES) {
      const name = method.toUpperCase();
      const sent = spellingsOf(path).map(async (spelling) => {
        const status = await send(url, name, spelling);
        // If the path ends with an id, some spellings add characters to that id. The route refuses
        // the changed id with status 422.
        const answers = [...NOT_SERVED, REFUSED, ...(path.endsWith('_id') ? [422] : [])];
        if (!answers.includes(status)) passed.push(`${status} ${name} ${JSON.stringify(spelling)}`);
      });
      await Promise.all(sent);
    }
    expect(passed).toEqual([]);
  }, 180_000);

  it('cannot be bypassed by another spelling of the path of a WebSocket', async () => {
    const path = '/threads/:thread_id/stream/events';
    const answers = spellingsOf(path).map(async (spelling) => {
      const { statuses, text } = await exchange(url, upgradeOf(spelling), { closeAfterMs: 1_000 });
      return [spelling, statuses[0] === 101 && !text.includes(String(REFUSED)) ? text : 'refused'];
    });
    for (const [spelling, outcome] of await Promise.all(answers))
      expect([spelling, outcome]).toEqual([spelling, 'refused']);
  });
});

describe('a server whose project has no app', () => {
  it.each([
    '/Threads/search',
    '/THREADS/search',
    '/threads/search/',
    '/runs/batch/',
    '/runs/WAIT',
    '/Store/namespaces',
  ])('does not serve the path %s', async (path) => {
    const url = await fixture.listen();
    expect([404, 405]).toContain(await send(url, 'POST', path));
  });

  it.each([
    ['/%74hreads/search', 'an escaped letter'],
    ['/threads/./search', 'a dot segment'],
    ['/threads\\search', 'a backslash'],
    ['/threads/search#x', 'a fragment'],
  ])('refuses the path %s and names the reason', async (path, reason) => {
    const url = await fixture.listen();
    const line = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`;
    const { statuses, text } = await exchange(url, Buffer.from(line, 'latin1'));
    expect([statuses, text]).toEqual([[400], expect.stringContaining(reason)]);
  });

  it('accepts a percent escape in an id or a name only for a character that must be escaped', async () => {
    const url = await fixture.listen();
    expect(await send(url, 'GET', '/assistants/a%20b%2Fc')).toBe(404);
    expect(await send(url, 'GET', '/assistants/e%63ho')).toBe(400);
    expect(await send(url, 'GET', '/assistants/echo?x=%41#y')).not.toBe(400);
  });
});

it('Express apps and routers of the API are created only in the file api/http/router.ts', () => {
  const files = readdirSync('api', { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  const making = files.filter((name) => /\b(Router|express)\(/.test(readFileSync(join('api', name), 'utf8')));
  expect(making).toEqual(['http/router.ts']);
});
