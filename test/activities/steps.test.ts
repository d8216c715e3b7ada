import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { resolve } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { ServiceProcesses } from '../support/house.js';
import { ModelServer } from '../support/model-server.js';

interface Part {
  event: string;
  data: unknown;
}

const human = (content: string) => ({ messages: [{ role: 'user', content }] });

describe('steps of a graph that calls a model', () => {
  let house: ServiceProcesses;
  let model: ModelServer;
  let client: Client;

  beforeAll(async () => {
    model = await ModelServer.start();
    house = new ServiceProcesses(resolve('test/fixtures/projects/model/langgraph.json'), { MODEL_URL: model.url });
    const [, api] = await Promise.all([house.worker(), house.api()]);
    client = new Client({ apiUrl: api.url, apiKey: null });
  }, 60_000);
  afterEach(() => model.reset());
  afterAll(async () => {
    await house.stop();
    await model.close();
  });

  async function stream(threadId: string, graph: string, input: Record<string, unknown>): Promise<Part[]> {
    const parts: Part[] = [];
    const streamMode: ('values' | 'messages-tuple')[] = ['values', 'messages-tuple'];
    for await (const part of client.runs.stream(threadId, graph, { input, streamMode })) parts.push(part as Part);
    return parts;
  }

  /**
   * The text of the model's messages as a client collects it. A new attempt discards earlier text.
   */
  function text(parts: Part[]): string {
    let text = '';
    for (const { event, data } of parts) {
      if (event === 'metadata') text = '';
      if (event === 'messages') text += (data as [{ content: string; type: string }])[0].content;
    }
    return text;
  }

  const newThread = async () => (await client.threads.create()).thread_id;

  it('are retried after the pause that status 429 requires, and show the new attempt to the client', async () => {
    model.add({ times: 1, reply: { status: 429, retryAfterSeconds: 2 } });
    const threadId = await newThread();
    const before = Date.now();
    const parts = await stream(threadId, 'chat', human('hello'));
    // The lower bound is the requested pause. There is no upper bound, because tests have no
    // timing.
    expect(Date.now() - before).toBeGreaterThanOrEqual(2_000);
    const attempts = parts
      .filter(({ event }) => event === 'metadata')
      .map(({ data }) => (data as { attempt: number }).attempt);
    expect(attempts).toEqual([1, 2]);
    expect(text(parts)).toBe('Answer to "hello".');
    expect(model.exchanges).toHaveLength(2);
  });

  it('are not retried after status 401: the run ends in error, and the thread accepts the next message', async () => {
    model.add({ times: 1, reply: { status: 401 } });
    const threadId = await newThread();
    const parts = await stream(threadId, 'chat', human('hello'));
    expect(parts.at(-1)).toMatchObject({ event: 'error', data: { message: expect.stringContaining('401') } });
    expect(model.exchanges).toHaveLength(1);
    const [run] = await client.runs.list(threadId);
    expect(run?.status).toBe('error');
    expect((await client.threads.get(threadId)).status).toBe('error');
    expect(text(await stream(threadId, 'chat', human('again')))).toBe('Answer to "again".');
    expect((await client.threads.get(threadId)).status).toBe('idle');
  });

  it('are retried after a broken stream, and the answer has no text of the failed attempt', async () => {
    model.add({ times: 1, reply: { text: 'one two three four', cutAfter: 2 } });
    const threadId = await newThread();
    const parts = await stream(threadId, 'chat', human('hello'));
    expect(text(parts)).toBe('Answer to "hello".');
    const { values } = await client.threads.getState<{ messages: { type: string; content: string }[] }>(threadId);
    expect(values.messages.map(({ type, content }) => [type, content])).toEqual([
      ['human', 'hello'],
      ['ai', 'Answer to "hello".'],
    ]);
    // A client that connects later does not get the superseded events.
    const [run] = await client.runs.list(threadId);
    const later: Part[] = [];
    for await (const part of client.runs.joinStream(threadId, run?.run_id ?? '', { lastEventId: '-1' }))
      later.push(part as Part);
    expect(later.filter(({ event }) => event === 'messages').length).toBeGreaterThan(0);
    expect(JSON.stringify(later)).not.toContain('one ');
  });

  it('stop the model call when the run is cancelled', async () => {
    model.add({ times: 1, reply: { text: 'a b c d', stallAfter: 1 } });
    const threadId = await newThread();
    const run = await client.runs.create(threadId, 'chat', { input: human('hello') });
    const exchange = await model.exchange(0);
    await exchange.stalled;
    await client.runs.cancel(threadId, run.run_id, true);
    expect(await exchange.ended).toBe('aborted');
    expect((await client.runs.get(threadId, run.run_id)).status).toBe('interrupted');
    expect(text(await stream(threadId, 'chat', human('again')))).toBe('Answer to "again".');
  });

  it('stop a node at its timeout in every attempt', async () => {
    const threadId = await newThread();
    const parts = await stream(threadId, 'slow', { log: [] });
    expect(parts.at(-1)).toMatchObject({
      event: 'error',
      data: { error: 'TimeoutError', message: expect.stringContaining('400 ms') },
    });
    expect(parts.filter(({ event }) => event === 'metadata')).toHaveLength(2);
  });

  it('retry any error of a node that has a retry policy, and do not run earlier nodes again', async () => {
    const result = await client.runs.wait(await newThread(), 'declared', { input: { log: ['in'] } });
    expect(result).toEqual({ log: ['in', 'first', 'call 3'] });
  });

  it('retry only the failed task, not the parallel task that has finished', async () => {
    const result = (await client.runs.wait(await newThread(), 'pair', { input: { log: [] } })) as { log: string[] };
    expect(result.log.sort()).toEqual(['bad 2', 'good 1']);
  });
});
