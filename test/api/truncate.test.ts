import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { ApiFixture } from '../support/api-server.js';

describe('the route that empties a tenant', () => {
  let api: ApiFixture;
  beforeAll(async () => void (api = await ApiFixture.start('truncate')));
  afterAll(() => api.stop());

  const truncate = (url: string, body: object) =>
    fetch(`${url}/internal/truncate`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });

  it('is served in test mode only', async () => {
    expect((await truncate(await api.listen(), { threads: true })).status).toBe(404);
  });

  it('deletes only the named kinds of records, and resets system assistants', async () => {
    const url = await api.listen({ testMode: true });
    const client = api.client(url);
    const { thread_id } = await client.threads.create();
    await client.runs.wait(thread_id, 'echo', { input: {} });
    await client.assistants.create({ graphId: 'echo' });
    await client.assistants.update((await client.assistants.get('echo')).assistant_id, { name: 'changed' });
    await client.store.putItem(['a'], 'k', { v: 1 });

    expect(await (await truncate(url, { threads: true, runs: true, checkpointer: true })).json()).toEqual({ ok: true });
    expect(await client.threads.search()).toEqual([]);
    expect(await client.assistants.search()).toHaveLength(3);
    expect((await client.store.getItem(['a'], 'k'))?.value).toEqual({ v: 1 });

    await truncate(url, { assistants: true, store: true });
    expect((await client.assistants.search()).map(({ name }) => name).sort()).toEqual(['echo', 'other']);
    expect(await client.store.getItem(['a'], 'k')).toBeNull();
  });

  it('refuses unknown fields', async () => {
    const answer = await truncate(await api.listen({ testMode: true }), { everything: true });
    expect([answer.status, await answer.text()]).toEqual([422, 'everything: unknown field of the request body']);
  });
});
