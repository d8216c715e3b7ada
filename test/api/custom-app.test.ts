import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { resolve } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { ServiceProcesses } from '../support/house.js';

const projectOf = (name: string) => resolve(`test/fixtures/projects/server/${name}.json`);

interface Answer {
  status: number;
  text: string;
  headers: Headers;
}

async function ask(url: string, path: string, init?: RequestInit): Promise<Answer> {
  const response = await fetch(`${url}${path}`, init);
  return { status: response.status, text: await response.text(), headers: response.headers };
}
const posted = (body: unknown) => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json' },
});

describe("a project's Hono app", () => {
  const house = new ServiceProcesses(projectOf('hono'));
  let url: string;
  let client: Client;
  beforeAll(async () => {
    const [, api] = await Promise.all([house.worker(), house.api()]);
    ({ url } = api);
    client = new Client({ apiUrl: url, apiKey: null });
  }, 60_000);
  afterAll(() => house.stop());

  it('serves its own routes', async () => {
    const { text } = await ask(url, '/custom/echo?q=a%20b', { headers: { 'x-in': 'in' } });
    expect(JSON.parse(text)).toEqual({ q: 'a b', header: 'in' });
    expect(JSON.parse((await ask(url, '/custom/echo', posted({ n: 1 }))).text)).toEqual({ got: { n: 1 } });
    const { status, headers } = await ask(url, '/custom/cookies');
    expect(status).toBe(204);
    expect(headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  });

  it('answers a path itself even if the API serves the same path', async () => {
    expect(JSON.parse((await ask(url, '/runs/mine')).text)).toEqual({ mine: true });
    expect(JSON.parse((await ask(url, '/store/items?namespace=a&key=b')).text)).toEqual({ shadowed: true });
  });

  it('has middleware that runs around the routes of the API and sees their answers', async () => {
    expect((await ask(url, '/ok')).headers.get('x-around')).toBe('/ok 200');
    const missing = await ask(url, '/nowhere');
    expect(missing).toMatchObject({ status: 404, text: 'Not Found: GET /nowhere is not served here' });
    expect(missing.headers.get('x-around')).toBe('/nowhere 404');
    expect(JSON.parse((await ask(url, '/threads/search?halt', posted({}))).text)).toEqual({ halted: true });
  });

  it('leaves request bodies readable for the routes of the API, even if its middleware has read them', async () => {
    expect((await client.threads.create({ metadata: { read: 'by the app' } })).metadata).toMatchObject({
      read: 'by the app',
    });
    expect(await client.threads.search({ metadata: { read: 'by the app' } })).toHaveLength(1);
    expect(await ask(url, '/threads', { method: 'POST', body: '{' })).toMatchObject({
      status: 400,
      text: expect.stringContaining('request body is not valid JSON'),
    });
  });

  it('passes the run streams of the API on to clients', async () => {
    const events: string[] = [];
    for await (const { event } of client.runs.stream(null, 'keeper', { input: { text: 'hi' }, streamMode: 'values' }))
      events.push(event);
    expect(events).toEqual(['metadata', 'values', 'values']);
    const thread = await client.threads.create();
    expect(await client.runs.wait(thread.thread_id, 'keeper', { input: { text: 'hi' } })).toMatchObject({ text: 'hi' });
  });

  it('can call the API with an SDK client that was created without a URL', async () => {
    const found = JSON.parse((await ask(url, '/custom/client')).text) as { graph_id: string }[];
    expect(found.map((one) => one.graph_id)).toEqual(['keeper']);
  });

  it('handles its own errors', async () => {
    expect(await ask(url, '/custom/error')).toMatchObject({ status: 418, text: 'short and stout' });
  });

  it('lets a run finish after its client has disconnected', async () => {
    const thread = await client.threads.create();
    const gone = new AbortController();
    const run = client.runs.stream(thread.thread_id, 'keeper', {
      input: { text: 'hi' },
      signal: gone.signal,
      onDisconnect: 'continue',
    });
    await run.next();
    gone.abort();
    await run.next().catch(() => undefined);
    const [{ run_id: runId } = { run_id: '' }] = await client.runs.list(thread.thread_id);
    await client.runs.join(thread.thread_id, runId);
    expect((await client.runs.get(thread.thread_id, runId)).status).toBe('success');
  });

  it('is served with the CORS settings of the project', async () => {
    const { headers } = await ask(url, '/custom/echo', { headers: { origin: 'https://app.example' } });
    expect(headers.get('access-control-allow-origin')).toBe('https://app.example');
    expect(headers.get('access-control-allow-credentials')).toBe('true');
    expect(headers.get('access-control-expose-headers')).toMatch(/^x-around, Content-Location/);
    const other = await ask(url, '/ok', { headers: { origin: 'https://app.example.org' } });
    expect(other.headers.get('access-control-allow-origin')).toBeNull();
    const preflight = await ask(url, '/threads', { method: 'OPTIONS', headers: { origin: 'https://app.example' } });
    expect(preflight.status).toBe(204);
    expect(preflight.headers.get('access-control-allow-methods')).toBe('GET');
    expect(preflight.headers.get('access-control-allow-headers')).toBe('x-in');
    expect(preflight.headers.get('access-control-max-age')).toBe('60');
  });
});

describe("a project's Express app", () => {
  const house = new ServiceProcesses(projectOf('express'));
  let url: string;
  beforeAll(async () => {
    ({ url } = await house.api());
  }, 60_000);
  afterAll(() => house.stop());

  it('serves its own routes, and has middleware that runs around the routes of the API', async () => {
    expect(JSON.parse((await ask(url, '/custom/echo', posted({ n: 1 }))).text)).toEqual({ got: { n: 1 } });
    expect(await ask(url, '/custom/error')).toMatchObject({ status: 418, text: 'short and stout' });
    const made = await ask(url, '/threads', posted({ metadata: { a: 1 } }));
    expect(JSON.parse(made.text)).toMatchObject({ status: 'idle', metadata: { a: 1 } });
    expect(made.headers.get('x-express')).toBe('/threads');
  });

  it('is served without the API routes that the project has disabled', async () => {
    for (const path of ['/store/items?namespace=a&key=b', '/assistants/keeper', '/ok', '/info'])
      expect(await ask(url, path)).toMatchObject({
        status: 404,
        text: `Not Found: GET ${path.split('?')[0]} is not served here`,
      });
    expect((await ask(url, '/threads/search', posted({}))).status).toBe(200);
  });
});

describe("a project's app that has only a fetch method", () => {
  const house = new ServiceProcesses(projectOf('fetch'));
  let url: string;
  beforeAll(async () => {
    ({ url } = await house.api());
  }, 60_000);
  afterAll(() => house.stop());

  it('answers the paths that it knows; the API answers the other paths', async () => {
    expect(JSON.parse((await ask(url, '/custom/echo', posted({ n: 1 }))).text)).toEqual({ got: { n: 1 } });
    const made = await ask(url, '/threads', posted({ metadata: { a: 1 } }));
    expect(JSON.parse(made.text)).toMatchObject({ metadata: { a: 1 } });
    expect(await ask(url, '/nowhere')).toMatchObject({ status: 404, text: expect.stringContaining('/nowhere') });
  });

  it('is served with CORS headers only for the origins that the project allows', async () => {
    const from = async (origin: string) =>
      (await ask(url, '/ok', { headers: { origin } })).headers.get('access-control-allow-origin');
    expect(await from('https://a.example')).toBe('https://a.example');
    expect(await from('https://b.example')).toBeNull();
  });
});

it("the API does not start if the file of a project's app lacks the export that the project names", async () => {
  const house = new ServiceProcesses(projectOf('no-app'));
  await expect(house.api()).rejects.toThrow(/http\.app: .*embed\.js has no export nothing; it exports letters/);
  await house.stop();
});
