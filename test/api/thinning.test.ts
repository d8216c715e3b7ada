import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { resolve } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { ServiceProcesses } from '../support/house.js';

describe('an API process of a project with limits for threads', () => {
  const project = resolve('test/fixtures/projects/talk/thinned.json');
  const house = new ServiceProcesses(project, { COLLOQUY_KEEP_CHECKPOINTS: '2' });
  let client: Client;

  beforeAll(async () => {
    const [, api] = await Promise.all([house.worker(), house.api()]);
    client = new Client({ apiUrl: api.url, apiKey: null });
  }, 60_000);
  afterAll(() => house.stop());

  async function untilThinned(threadId: string) {
    for (;;) {
      const history = await client.threads.getHistory<{ log: string[] }>(threadId, { limit: 100 });
      if (history.length <= 2) return history;
    }
  }

  it('removes all but two checkpoints of a thread; the open interrupt of the thread can still be answered', async () => {
    const { thread_id: threadId } = await client.threads.create();
    const turn = (text: string) => client.runs.wait(threadId, 'talk', { input: { log: [text] } });
    await turn('hi');
    await turn('again');
    await turn('shall I?');
    const before = await client.threads.getState(threadId);
    const history = await untilThinned(threadId);
    expect(history[0]).toEqual(before);
    expect(history[1]?.next).toEqual(['hear']);
    expect(await client.runs.wait(threadId, 'talk', { command: { resume: 'yes' } })).toEqual({
      log: ['hi', 'heard', 'answered', 'again', 'heard', 'answered', 'shall I?', 'heard', 'told yes', 'answered'],
    });
    const [newest] = await untilThinned(threadId);
    expect(newest?.next).toEqual([]);
    expect(newest?.values.log).toHaveLength(10);
  });

  it('gives a new thread the time to live from the request, or else from langgraph.json', async () => {
    const made = await client.threads.create();
    const other = await client.threads.create({ ttl: 5 });
    const first = await client.runs.create(crypto.randomUUID(), 'talk', {
      input: { log: ['hi'] },
      ifNotExists: 'create',
    });
    const ttlOf = async (id: string) =>
      ((await client.threads.get(id, { include: ['ttl'] })) as unknown as { ttl?: unknown }).ttl;
    expect(await ttlOf(made.thread_id)).toMatchObject({ strategy: 'keep_latest', ttl_minutes: 10_000 });
    expect(await ttlOf(other.thread_id)).toMatchObject({ strategy: 'delete', ttl_minutes: 5 });
    expect(await ttlOf(first.thread_id)).toMatchObject({ strategy: 'keep_latest', ttl_minutes: 10_000 });
    await client.runs.join(first.thread_id, first.run_id);
  });
});
