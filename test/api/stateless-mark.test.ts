import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { STATELESS_METADATA } from '../../protocol/index.js';
import { ANONYMOUS_CALLER, ApiFixture } from '../support/api-server.js';

const fixture = await ApiFixture.start('stateless_mark');
let url: string;
let thread: string;
let assistant: string;
let cronId: string;
beforeAll(async () => {
  url = await fixture.listen();
  const client = fixture.client(url);
  thread = (await client.threads.create()).thread_id;
  assistant = (await client.assistants.create({ graphId: 'echo' })).assistant_id;
  cronId = (await client.crons.create('echo', { schedule: '0 9 1 1 *' })).cron_id;
});
afterAll(async () => {
  await fixture.client(url).crons.delete(cronId);
  await fixture.stop();
});

async function send(method: string, path: string, body: unknown): Promise<{ status: number; text: string }> {
  const at = path.replace('THREAD', thread).replace('ASSISTANT', assistant).replace('CRON', cronId);
  const answer = await fetch(`${url}${at}`, { method, body: JSON.stringify(body) });
  return { status: answer.status, text: await answer.text() };
}

const metadata = STATELESS_METADATA;
const run = { assistant_id: 'echo', input: {}, metadata };
const configured = { assistant_id: 'echo', input: {}, config: { metadata } };
const cron = { assistant_id: 'echo', schedule: '0 9 1 1 *', metadata };

describe('the metadata that marks threads of stateless runs', () => {
  it.each([
    ['POST', '/threads', { metadata }],
    ['POST', '/threads', { metadata: { colloquy_stateless: null } }],
    ['PATCH', '/threads/THREAD', { metadata }],
    ['PATCH', '/threads/THREAD/state', { metadata }],
    ['POST', '/assistants', { graph_id: 'echo', metadata }],
    ['POST', '/assistants', { graph_id: 'echo', config: { metadata } }],
    ['PATCH', '/assistants/ASSISTANT', { metadata }],
    ['POST', '/threads/THREAD/runs', run],
    ['POST', '/threads/THREAD/runs', configured],
    ['POST', '/threads/THREAD/runs/wait', run],
    ['POST', '/threads/THREAD/runs/stream', run],
    ['POST', '/runs', run],
    ['POST', '/runs/wait', configured],
    ['POST', '/runs/stream', run],
    ['POST', '/runs/batch', [run]],
    ['POST', '/runs/crons', cron],
    ['POST', '/threads/THREAD/runs/crons', cron],
    ['PATCH', '/runs/crons/CRON', { metadata }],
  ])('cannot be set by a client: %s %s', async (method, path, body) => {
    const { status, text } = await send(method, path, body);
    expect([status, text]).toEqual([
      422,
      expect.stringMatching(/metadata\.colloquy_stateless: is reserved for the server, .*remove it/),
    ]);
    expect((await send('GET', '/threads/THREAD', undefined)).text).not.toContain('colloquy_stateless');
  });

  it.each([
    ['run.start', { assistant_id: 'echo', input: {}, metadata }],
    ['input.respond', { interrupt_id: 'x', response: 1, metadata }],
  ])('cannot be set by a command of protocol v2: %s', async (method, params) => {
    const { text } = await send('POST', '/threads/THREAD/commands', { id: 1, method, params });
    expect(text).toContain('is reserved for the server');
  });

  it('can be searched for', async () => {
    expect((await send('POST', '/threads/search', { metadata })).status).toBe(200);
  });

  it('is left out of a copy of the thread, so that the server does not delete the copy', async () => {
    const threadId = randomUUID();
    await fixture.stores.threads.createThread(ANONYMOUS_CALLER, { threadId, metadata: { ...metadata, a: 1 } });
    const { text } = await send('POST', `/threads/${threadId}/copy`, {});
    expect((JSON.parse(text) as { metadata: unknown }).metadata).toEqual({ a: 1 });
  });
});
