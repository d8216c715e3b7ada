import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import type { Router } from 'express';
import { z } from 'zod';
import { createApi } from '../../api/index.js';
import { describeApi } from '../../api/openapi/index.js';
import { ROUTES } from '../../api/routes.js';
import {
  assistantAnswer,
  assistantVersionAnswer,
  graphAnswer,
  graphSchemasAnswer,
  infoAnswer,
  okAnswer,
  runAnswer,
  stateAnswer,
  subgraphsAnswer,
  threadAnswer,
} from '../../protocol/schemas/index.js';
import { ANONYMOUS_CALLER, ApiFixture } from '../support/api-server.js';

/** Served pages that are not part of the API's description. */
const PAGES = ['get /openapi.json', 'get /docs', 'get /docs/rapidoc-min.js'];

interface Layer {
  route?: { path: string; methods: Record<string, boolean> };
  handle: { stack?: Layer[] };
}

function routesOf(stack: Layer[]): string[] {
  return stack.flatMap(({ route, handle }) =>
    route ? Object.keys(route.methods).map((method) => `${method} ${route.path}`) : routesOf(handle.stack ?? []),
  );
}

describe('the description of the API', () => {
  let api: ApiFixture;
  let url: string;
  beforeAll(async () => {
    api = await ApiFixture.start('openapi');
    url = await api.listen();
  });
  afterAll(() => api.stop());

  async function get(path: string, init?: RequestInit): Promise<unknown> {
    const answer = await fetch(url + path, init);
    expect(answer.status).toBe(200);
    return answer.json();
  }
  const post = (path: string, body: unknown) =>
    get(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });

  it('contains exactly the served routes', () => {
    const { stack } = createApi(api.dependencies()).router as Router as unknown as { stack: Layer[] };
    const described = ROUTES.map(({ method, path }) => `${method} ${path}`);
    expect(described.toSorted()).toEqual(
      routesOf(stack)
        .filter((route) => !PAGES.includes(route))
        .sort(),
    );
  });

  it('is served, together with a page that shows it', async () => {
    expect(await get('/openapi.json')).toEqual(JSON.parse(JSON.stringify(describeApi(ROUTES, { version: '0.0.0' }))));
    const page = await fetch(`${url}/docs`);
    expect(page.headers.get('content-type')).toContain('text/html');
    const script = /src="([^"]+)"/.exec(await page.text())?.[1] ?? '';
    const found = await fetch(new URL(script, url));
    expect(found.headers.get('content-type')).toContain('javascript');
    expect(await found.text()).toContain('rapi-doc');
  });

  it('tells which values of a field are not supported', () => {
    const { paths } = describeApi(ROUTES, { version: '1' }) as {
      paths: Record<
        string,
        Record<string, { requestBody: { content: Record<string, { schema: { properties: object } }> } }>
      >;
    };
    const body = paths['/runs/wait']?.['post']?.requestBody.content['application/json']?.schema;
    expect(body).toMatchObject({ type: 'object', required: ['assistant_id'], additionalProperties: false });
    expect(body?.properties).toMatchObject({
      if_not_exists: { enum: ['create', null], description: expect.stringContaining('not served') },
    });
  });

  it('links the thread id in the answer of POST /threads to GET /threads/{thread_id}', () => {
    const { paths } = describeApi(ROUTES, { version: '1' }) as {
      paths: Record<string, Record<string, { responses: Record<string, { links?: Record<string, object> }> }>>;
    };
    expect(paths['/threads']?.['post']?.responses['200']?.links).toMatchObject({
      getThreadsThreadId: { operationId: 'getThreadsThreadId', parameters: { thread_id: '$response.body#/thread_id' } },
    });
  });

  it('matches the answers of the API', async () => {
    okAnswer.strict().parse(await get('/ok'));
    infoAnswer.strict().parse(await get('/info'));
    await api.stores.assistants.registerGraphs(ANONYMOUS_CALLER, [{ graphId: 'checked' }]);
    const assistant = assistantAnswer.strict().parse(await get('/assistants/echo'));
    const path = `/assistants/${assistant.assistant_id}`;
    z.array(assistantVersionAnswer.strict()).parse(await post(`${path}/versions`, {}));
    graphAnswer.strict().parse(await get('/assistants/checked/graph'));
    graphSchemasAnswer.strict().parse(await get('/assistants/checked/schemas'));
    subgraphsAnswer.parse(await get('/assistants/checked/subgraphs'));
    const thread = threadAnswer.strict().parse(await post('/threads', {}));
    const run = runAnswer.strict().parse(await post(`/threads/${thread.thread_id}/runs`, { assistant_id: 'echo' }));
    runAnswer.strict().parse(await get(`/threads/${thread.thread_id}/runs/${run.run_id}`));
    stateAnswer.strict().parse(await get(`/threads/${thread.thread_id}/state`));
  });

  it('lists the same methods for each path as the header Allow in a 405 answer for that path', async () => {
    const answer = await fetch(`${url}/threads/count`, { method: 'PATCH' });
    expect(await answer.text()).toBe('Method Not Allowed: PATCH /threads/count; it takes POST');
    const { paths } = describeApi(ROUTES, { version: '1' }) as { paths: Record<string, object> };
    for (const [path, methods] of Object.entries(paths)) {
      const described = Object.keys(methods).map((method) => method.toUpperCase());
      const other = ['PATCH', 'PUT', 'DELETE'].find((method) => !described.includes(method));
      const refused = await fetch(url + path.replaceAll(/\{[^}]+\}/g, randomUUID()), { method: other ?? 'POST' });
      expect([path, refused.status]).toEqual([path, 405]);
      expect([path, refused.headers.get('allow')?.split(', ').sort()]).toEqual([path, described.sort()]);
    }
  });
});
