import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import express from 'express';
import { Auth } from '@langchain/langgraph-sdk/auth';
import { createProjectAuth } from '../../api/auth/project-auth.js';
import { DEFAULT_TENANT } from '../../protocol/index.js';
import { ApiFixture } from '../support/api-server.js';

interface Answer {
  status: number;
  json: {
    metadata: unknown;
    thread_id: string;
    cron_id: string;
    user_id: string;
    items: { key: string }[];
  };
}

const bob = { tenant: DEFAULT_TENANT, principal: { kind: 'user', id: 'bob' }, onBehalfOf: [] };
/**
 * An Express app of a project. It sets `res.locals` under names that the API itself once used for
 * the caller, the filters and the session of a request.
 */
const app = express().use((_req, res, next) => {
  const own = { caller: bob, required: { equal: {}, contains: {} }, itemFilters: {}, access: {} };
  Object.assign(res.locals, own, { session: { who: { user: { identity: 'bob' }, scopes: [] } } });
  next();
});
const auth = new Auth()
  .authenticate((request) => request.headers.get('x-who') ?? 'nobody')
  .on('*', ({ user }) => ({ owner: user.identity }))
  .on('store', ({ user, action }) => (action === 'search' ? { owner: user.identity } : true));

const fixture = await ApiFixture.start('custom_locals');
let url: string;
beforeAll(async () => {
  const http = { app, disabled: [] };
  url = await fixture.listen({}, { http, auth: createProjectAuth(auth, { acceptStudio: false }) });
});
afterAll(() => fixture.stop());

async function call(who: string, method: string, path: string, body?: object): Promise<Answer> {
  const sent = body === undefined ? {} : { body: JSON.stringify(body) };
  const answer = await fetch(`${url}${path}`, { method, headers: { 'x-who': who }, ...sent });
  const text = await answer.text();
  return { status: answer.status, json: answer.ok && text !== '' ? JSON.parse(text) : {} };
}

describe('the res.locals that a project’s Express app sets', () => {
  it('change neither the caller nor the search results', async () => {
    const ids = new Map<string, string>();
    for (const who of ['ada', 'bob']) {
      const made = await call(who, 'POST', '/threads', {});
      expect(made.json.metadata).toEqual({ owner: who });
      ids.set(who, made.json.thread_id);
    }
    expect((await call('ada', 'GET', `/threads/${ids.get('bob')}`)).status).toBe(404);
    const found = await call('ada', 'POST', '/threads/search', {});
    expect((found.json as unknown as { thread_id: string }[]).map((one) => one.thread_id)).toEqual([ids.get('ada')]);
  });

  it('do not change the owner of crons', async () => {
    const cron = { assistant_id: 'echo', schedule: '0 9 1 1 *' };
    const made = await call('ada', 'POST', '/runs/crons', cron);
    expect([made.status, made.json.user_id]).toEqual([200, 'ada']);
    await call('ada', 'DELETE', `/runs/crons/${made.json.cron_id}`);
  });

  it('do not change which store items a search finds', async () => {
    for (const owner of ['ada', 'bob']) {
      const item = { namespace: ['notes'], key: owner, value: { owner } };
      expect((await call(owner, 'PUT', '/store/items', item)).status).toBe(204);
    }
    const found = await call('ada', 'POST', '/store/items/search', { namespace_prefix: ['notes'] });
    expect(found.json.items.map((one) => one.key)).toEqual(['ada']);
  });
});
