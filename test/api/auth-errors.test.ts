import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Auth, HTTPException } from '@langchain/langgraph-sdk/auth';
import { HTTPException as HonoException } from 'hono/http-exception';
import { createProjectAuth } from '../../api/auth/project-auth.js';
import { ApiFixture } from '../support/api-server.js';
import { WebSocket } from 'ws';

const SECRET = 'sk-live-1';
const OWN_HEADERS = { 'www-authenticate': 'Bearer', 'x-why': 'late' };
const REFUSED_HEADERS = {
  'transfer-encoding': 'chunked',
  connection: 'upgrade',
  upgrade: 'x',
  'content-length': '1',
  'content-type': 'application/json',
  'content-encoding': 'gzip',
  'x-bad': 'a\r\nx-worse: b',
};

class OwnException extends HTTPException {}
const renamed = { _HTTPException2: class _HTTPException2 extends Error {} };
const bundled = Object.assign(new renamed._HTTPException2('bundled'), { status: 409, headers: OWN_HEADERS });

/** Returns an error as SDKs of other services throw it, with a status and with headers. */
const sdkError = (status: number) =>
  Object.assign(new Error(`Incorrect key ${SECRET}`), {
    status,
    headers: { 'set-cookie': `s=${SECRET}`, 'x-upstream-key': SECRET, 'transfer-encoding': 'chunked' },
  });

const CHOSEN: Record<string, { thrown: unknown; status: number; text: string }> = {
  sdk: { thrown: new HTTPException(401, { message: 'who?', headers: OWN_HEADERS }), status: 401, text: 'who?' },
  subclass: { thrown: new OwnException(402, { message: 'pay', headers: OWN_HEADERS }), status: 402, text: 'pay' },
  bundled: { thrown: bundled, status: 409, text: 'bundled' },
  later: { thrown: new HTTPException(503, { message: 'later', headers: OWN_HEADERS }), status: 503, text: 'later' },
  hono: {
    thrown: new HonoException(403, { res: new Response('no entry', { headers: OWN_HEADERS }) }),
    status: 403,
    text: 'no entry',
  },
  pairs: {
    thrown: new HTTPException(418, {
      message: 'tea',
      headers: Object.entries({ ...OWN_HEADERS, ...REFUSED_HEADERS }),
    }),
    status: 418,
    text: 'tea',
  },
};
const OTHERS: Record<string, unknown> = {
  sdk401: sdkError(401),
  sdk500: sdkError(500),
  plain: new Error(`no ${SECRET}`),
  text: `no ${SECRET}`,
  nothing: undefined,
  odd: new HTTPException(200 as never, { message: SECRET }),
};

function throwing(name: string | null): void {
  if (name === null) return;
  if (name in CHOSEN) throw CHOSEN[name]?.thrown;
  if (name in OTHERS) throw OTHERS[name];
}

/**
 * An `Auth` whose handlers throw errors. `authenticate` throws the error that the request header
 * `x-who` names. The authorization handler throws the error that the header `x-may` names.
 */
const auth = new Auth()
  .authenticate((request) => {
    throwing(request.headers.get('x-who'));
    return { identity: 'ada', permissions: [], throws: request.headers.get('x-may') };
  })
  .on('*', ({ user }) => throwing((user as unknown as { throws: string | null }).throws) as undefined);

const fixture = await ApiFixture.start('auth_errors');
let url: string;
beforeAll(async () => {
  url = await fixture.listen({}, { auth: createProjectAuth(auth, { acceptStudio: false }) });
});
afterAll(() => fixture.stop());

const search = (headers: Record<string, string>) =>
  fetch(`${url}/threads/search`, { method: 'POST', body: '{}', headers });

describe.each([
  ['authenticate', 'x-who'],
  ['an authorization handler', 'x-may'],
])('an error that %s of a project throws', (_function, header) => {
  it.each(Object.entries(CHOSEN))(
    'sets status, text and headers of the HTTP answer if it is an HTTPException: %s',
    async (name, { status, text }) => {
      const answer = await search({ [header]: name });
      expect([answer.status, await answer.text()]).toEqual([status, text]);
      expect(Object.fromEntries(answer.headers)).toMatchObject({
        ...OWN_HEADERS,
        'content-type': 'text/plain; charset=utf-8',
      });
      for (const name of ['transfer-encoding', 'upgrade', 'content-encoding', 'x-bad', 'x-worse']) {
        expect([name, answer.headers.get(name)]).toEqual([name, null]);
      }
    },
  );

  it.each(Object.keys(OTHERS))(
    'leads to status 500, with details only in the log, if it is no valid HTTPException: %s',
    async (name) => {
      fixture.errors.length = 0;
      const answer = await search({ [header]: name });
      expect([answer.status, await answer.text()]).toEqual([500, 'internal error']);
      expect(JSON.stringify([...answer.headers])).not.toContain(SECRET);
      expect(answer.headers.get('set-cookie')).toBeNull();
      expect(fixture.errors).toHaveLength(1);
      const [logged] = fixture.errors as { code: string; cause: unknown }[];
      expect([logged?.code, logged?.cause]).toEqual(['internal', OTHERS[name]]);
    },
  );

  it('reveals no details to the client of a WebSocket', async () => {
    const path = '/threads/00000000-0000-4000-8000-000000000001/stream/events';
    const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, { headers: { [header]: 'sdk401' } });
    const heard = new Promise<string>((resolve) => {
      socket.on('message', (data: Buffer) => resolve(data.toString()));
      socket.on('close', (_code, reason) => resolve(reason.toString()));
    });
    socket.on('open', () =>
      socket.send(JSON.stringify({ id: 1, method: 'subscription.subscribe', params: { channels: ['values'] } })),
    );
    expect(await heard).toContain('internal error');
    expect(await heard).not.toContain(SECRET);
    socket.terminate();
  });
});

it('the HTTP answer contains all values if an HTTPException has several values for one header', async () => {
  const thrown = new HTTPException(401, {
    headers: [
      ['set-cookie', 'a=1'],
      ['Set-Cookie', 'b=2'],
    ],
  });
  const cookies = new Auth().authenticate(() => {
    throw thrown;
  });
  const other = await fixture.listen({}, { auth: createProjectAuth(cookies, { acceptStudio: false }) });
  expect((await fetch(`${other}/threads`, { method: 'POST' })).headers.getSetCookie()).toEqual(['a=1', 'b=2']);
});
