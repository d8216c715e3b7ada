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

describe('a step of a graph', () => {
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
   * Returns the text of the model's messages, as a client collects it. The event `metadata` starts
   * a new attempt, so the client discards the text before it.
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

  it('is retried after the pause that a 429 answer of the model requests; the client sees the new attempt', async () => {
    model.add({ times: 1, reply: { status: 429, retryAfterSeconds: 2 } });
    const threadId = await newThread();
    const before = Date.now();
    const parts = await stream(threadId, 'chat', human('hello'));
    // The requested pause is the lower bound. No upper bound is checked, because the test must also
    // pass on a slow machine.
    expect(Date.now() - before).toBeGreaterThanOrEqual(2_000);
    const attempts = parts
      .filter(({ event }) => event === 'metadata')
      .map(({ data }) => (data as { attempt: number }).attempt);
    expect(attempts).toEqual([1, 2]);
    expect(text(parts)).toBe('Answer to "hello".');
    expect(model.exchanges).toHaveLength(2);
  });

  it('is not retried after status 401 of the model: the run ends in error, and the thread accepts the next message', async () => {
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

  it('is retried after the stream of the model breaks, and the answer has no text of the failed attempt', async () => {
    model.add({ times: 1, reply: { text: 'one two three four', cutAfter: 2 } });
    const threadId = await newThread();
    const parts = await stream(threadId, 'chat', human('hello'));
    expect(text(parts)).toBe('Answer to "hello".');
    const { values } = await client.threads.getState<{ messages: { type: string; content: string }[] }>(threadId);
    expect(values.messages.map(({ type, content }) => [type, content])).toEqual([
      ['human', 'hello'],
      ['ai', 'Answer to "hello".'],
    ]);
    // A client that connects later does not get the superseded events of the failed attempt.
    const [run] = await client.runs.list(threadId);
    const later: Part[] = [];
    for await (const part of client.runs.joinStream(threadId, run?.run_id ?? '', { lastEventId: '-1' }))
      later.push(part as Part);
    expect(later.filter(({ event }) => event === 'messages').length).toBeGreaterThan(0);
    expect(JSON.stringify(later)).not.toContain('one ');
  });

  it('aborts its call of the model when the run is cancelled', async () => {
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

  it('is retried once if its node exceeds its declared timeout; then the run ends with a timeout error', async () => {
    const threadId = await newThread();
    const parts = await stream(threadId, 'slow', { log: [] });
    expect(parts.at(-1)).toMatchObject({
      event: 'error',
      data: { error: 'TimeoutError', message: expect.stringContaining('400 ms') },
    });
    expect(parts.filter(({ event }) => event === 'metadata')).toHaveLength(2);
  });

  it('is retried after any error if its node declares a retry policy, and earlier nodes do not run again', async () => {
    const result = await client.runs.wait(await newThread(), 'declared', { input: { log: ['in'] } });
    expect(result).toEqual({ log: ['in', 'first', 'call 3'] });
  });

  it('runs only the failed task again when it is retried, not the parallel task that has finished', async () => {
    const result = (await client.runs.wait(await newThread(), 'pair', { input: { log: [] } })) as { log: string[] };
    expect(result.log.sort()).toEqual(['bad 2', 'good 1']);
  });
});
