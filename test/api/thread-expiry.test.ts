import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { Client } from '@langchain/langgraph-sdk';
import { completeContext, type ApiContext } from '../../api/context.js';
import { sweepDue } from '../../conversations/sweep.js';
import { ANONYMOUS_CALLER, ApiFixture } from '../support/api-server.js';
import { newGate } from '../support/gate.js';
import { untilAborted } from '../support/scripted-conversations.js';

const MINUTE = 60_000;

describe('threads that expire', () => {
  let api: ApiFixture;
  let url: string;
  let client: Client;
  let context: ApiContext;

  beforeAll(async () => {
    api = await ApiFixture.start('api_thread_expiry');
    url = await api.listen();
    client = api.client(url);
    context = completeContext(api.dependencies());
  });
  afterAll(() => api.stop());

  const inMinutes = (minutes: number) => new Date(Date.now() + minutes * MINUTE);

  async function ttlOf(threadId: string): Promise<Record<string, unknown> | undefined> {
    const thread = await client.threads.get(threadId, { include: ['ttl'] });
    return (thread as unknown as { ttl?: Record<string, unknown> }).ttl;
  }

  it('show their time to live if the request includes "ttl"; a later value replaces an earlier one', async () => {
    const { thread_id } = await client.threads.create({ ttl: 30 });
    const ttl = await ttlOf(thread_id);
    expect(ttl).toMatchObject({ strategy: 'delete', ttl_minutes: 30 });
    const expires = Date.parse(String(ttl?.['expires_at'])) - Date.now();
    expect(expires).toBeGreaterThan(29 * MINUTE);
    expect(expires).toBeLessThanOrEqual(30 * MINUTE);
    expect(await client.threads.get(thread_id)).not.toHaveProperty('ttl');
    await client.threads.update(thread_id, { ttl: { ttl: 90 } });
    expect(await ttlOf(thread_id)).toMatchObject({ strategy: 'delete', ttl_minutes: 90 });
    await client.threads.update(thread_id, { metadata: { a: 1 } });
    expect(await ttlOf(thread_id)).toMatchObject({ ttl_minutes: 90 });
    expect(await ttlOf((await client.threads.create()).thread_id)).toBeUndefined();
  });

  it('are deleted with all their data when they expire, and not before', async () => {
    const { thread_id } = await client.threads.create({ ttl: { ttl: 10, strategy: 'delete' } });
    const other = await client.threads.create();
    await client.runs.wait(thread_id, 'echo', { input: {} });
    await sweepDue(context, ANONYMOUS_CALLER, inMinutes(9));
    expect((await client.threads.get(thread_id)).status).toBe('idle');
    await sweepDue(context, ANONYMOUS_CALLER, inMinutes(11));
    await expect(client.threads.get(thread_id)).rejects.toThrow('HTTP 404');
    expect(api.conversations.closed).toContain(thread_id);
    expect(await api.stores.events.tail(ANONYMOUS_CALLER, thread_id)).toBe(0);
    await client.threads.get(other.thread_id);
  });

  it('are kept while a run is active, and deleted after the run has ended', async () => {
    const gate = newGate();
    api.conversations.script = () => gate.opened;
    const { thread_id } = await client.threads.create({ ttl: 1 });
    const run = await client.runs.create(thread_id, 'echo', { input: {} });
    await sweepDue(context, ANONYMOUS_CALLER, inMinutes(2));
    expect((await client.runs.get(thread_id, run.run_id)).status).toMatch(/pending|running/);
    gate.open();
    await client.runs.join(thread_id, run.run_id);
    expect(await client.runs.get(thread_id, run.run_id)).toMatchObject({ status: 'success' });
    await sweepDue(context, ANONYMOUS_CALLER, inMinutes(2));
    await expect(client.threads.get(thread_id)).rejects.toThrow('HTTP 404');
  });

  it('keep their newest state with the strategy keep_latest, and expire again later', async () => {
    const { thread_id } = await client.threads.create();
    const body = JSON.stringify({ ttl: { ttl: 5, strategy: 'keep_latest' } });
    await fetch(`${url}/threads/${thread_id}`, { method: 'PATCH', body });
    const before = await ttlOf(thread_id);
    expect(before).toMatchObject({ strategy: 'keep_latest', ttl_minutes: 5 });
    expect(await sweepDue(context, ANONYMOUS_CALLER, inMinutes(6))).toBe(1);
    const after = await ttlOf(thread_id);
    expect(Date.parse(String(after?.['expires_at']))).toBeGreaterThan(Date.parse(String(before?.['expires_at'])));
  });

  it('are deleted by a later sweep of any API process if their first deletion did not finish', async () => {
    const { thread_id } = await client.threads.create();
    await api.stores.threads.closeThread(ANONYMOUS_CALLER, thread_id);
    await sweepDue(context, ANONYMOUS_CALLER, inMinutes(9));
    await expect(client.threads.create({ threadId: thread_id })).rejects.toThrow('is being deleted');
    await sweepDue(context, ANONYMOUS_CALLER, inMinutes(11));
    await client.threads.create({ threadId: thread_id });
  });

  it('are deleted at once by a prune request, even while a run is active; the strategy keep_latest keeps the threads', async () => {
    api.conversations.script = untilAborted;
    const ids: string[] = [];
    for (let n = 0; n < 3; n += 1) ids.push((await client.threads.create()).thread_id);
    await client.runs.create(ids[0] ?? '', 'echo', { input: {} });
    const unknown = '00000000-0000-4000-8000-000000000000';
    expect(await client.threads.prune([...ids.slice(0, 2), unknown])).toEqual({ pruned_count: 2 });
    await expect(client.threads.get(ids[0] ?? '')).rejects.toThrow('HTTP 404');
    await client.threads.get(ids[2] ?? '');
    expect(await client.threads.prune([ids[2] ?? '', unknown], { strategy: 'keep_latest' })).toEqual({
      pruned_count: 1,
    });
    await client.threads.get(ids[2] ?? '');
  });
});
