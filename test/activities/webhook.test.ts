import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { ApplicationFailure } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createDeliverWebhook } from '../../activities/webhook.js';
import { workerCaller, type ActivityDependencies } from '../../activities/deps.js';
import { createThreadReads, keepWebhook, type AttemptDependencies } from '../../executors/index.js';
import { createEgress } from '../../egress/index.js';
import type { Run } from '../../protocol/index.js';
import { openStores, type Stores } from '../../workers/stores.js';
import { Receiver } from '../support/receiver.js';

const CALLER = workerCaller('default');

describe('the delivery of a webhook', () => {
  let stores: Stores;
  let receiver: Receiver;

  beforeAll(async () => {
    const uri = process.env['COLLOQUY_TEST_MONGODB_URI'] ?? '';
    const mongo = { uri, isGiven: true, database: `webhooks_${process.pid}` };
    stores = await openStores({ mongo, retention: { eventsMs: 3_600_000 } });
  });
  afterAll(async () => {
    await stores.db.dropDatabase();
    await stores.close();
  });
  beforeEach(async () => {
    receiver = await Receiver.start();
  });
  afterEach(() => receiver.close());

  async function kept(url = receiver.url): Promise<string> {
    const id = randomUUID();
    await stores.deliveries.put(CALLER, { id, url, body: { run_id: id } });
    return id;
  }

  function deliver(runId: string, allow = ['127.0.0.1'], tenant = 'default'): Promise<boolean> {
    const { deliveries } = stores;
    const dependencies = { deliveries, egress: createEgress({ allow }), webhookSecrets: [] };
    const activity = createDeliverWebhook(dependencies as unknown as ActivityDependencies);
    const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
    return environment.run(activity, { tenant, threadId: randomUUID(), runId });
  }

  async function failure(attempt: Promise<unknown>): Promise<Partial<ApplicationFailure>> {
    const error: unknown = await attempt.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!(error instanceof ApplicationFailure)) throw new Error(`no failure of an activity: ${String(error)}`);
    return error;
  }

  it('is not repeated after the receiver has accepted it', async () => {
    const id = await kept();
    expect(await deliver(id)).toBe(true);
    expect(await deliver(id)).toBe(false);
    expect(receiver.received).toHaveLength(1);
    expect(JSON.parse(receiver.received[0]?.body ?? '')).toEqual({ run_id: id, webhook_sent_at: expect.any(String) });
    expect(receiver.received[0]?.headers).not.toHaveProperty('webhook-signature');
  });

  it('finds no stored webhook of another tenant', async () => {
    const id = await kept();
    expect(await deliver(id, ['127.0.0.1'], 'other')).toBe(false);
    expect(receiver.received).toEqual([]);
  });

  it.each([500, 404, 302, 429])('is retried after status %i', async (status) => {
    receiver.reply = (n) => ({ status: n === 1 ? status : 200 });
    const id = await kept();
    expect(await failure(deliver(id))).toMatchObject({ type: `http_${status}`, nonRetryable: false });
    expect(await deliver(id)).toBe(true);
  });

  it('is retried after the time in the header Retry-After, but after six hours at the latest', async () => {
    receiver.reply = () => ({ status: 429, headers: { 'Retry-After': '120' } });
    expect(await failure(deliver(await kept()))).toMatchObject({ nextRetryDelay: 120_000 });
    const tomorrow = new Date(Date.now() + 86_400_000).toUTCString();
    receiver.reply = () => ({ status: 503, headers: { 'Retry-After': tomorrow } });
    expect(await failure(deliver(await kept()))).toMatchObject({ nextRetryDelay: 6 * 3_600_000 });
    receiver.reply = () => ({ status: 503, headers: { 'Retry-After': 'soon' } });
    expect((await failure(deliver(await kept()))).nextRetryDelay).toBeUndefined();
  });

  it('is not retried after status 410 or for a forbidden address, but the webhook stays stored', async () => {
    receiver.reply = (n) => ({ status: n === 1 ? 410 : 200 });
    const gone = await kept();
    expect(await failure(deliver(gone))).toMatchObject({ type: 'http_410', nonRetryable: true });
    expect(await deliver(gone)).toBe(true);
    const inside = await kept(`http://localhost:${receiver.port}/`);
    expect(await failure(deliver(inside, []))).toMatchObject({
      type: 'forbidden',
      nonRetryable: true,
      message: expect.stringContaining('localhost has the address'),
    });
    expect(receiver.received).toHaveLength(2);
    expect(await deliver(inside, ['localhost'])).toBe(true);
  });

  it('is retried if the receiver cannot be reached', async () => {
    const id = await kept('http://127.0.0.1:1/');
    expect(await failure(deliver(id))).toMatchObject({ type: 'unavailable', nonRetryable: false });
  });

  it('leaves out the values of the thread if the body would be too large, and says so in `values_omitted`', async () => {
    const runId = randomUUID();
    const state = { values: { text: 'x'.repeat(13 * 1024 * 1024) } };
    const project = { load: async () => ({ getState: async () => state }) };
    const now = new Date();
    const run: Run = {
      tenant: 'default',
      threadId: randomUUID(),
      runId,
      assistantId: 'a',
      graphId: 'g',
      status: 'running',
      multitaskStrategy: 'enqueue',
      metadata: {},
      request: { config: {}, streamModes: ['values'], streamSubgraphs: false, webhook: receiver.url },
      createdAt: now,
      updatedAt: now,
    };
    const reads = createThreadReads({ ...stores, project, showsQuestions: false } as unknown as AttemptDependencies);
    const dependencies = { ...stores, readValues: (ended: Run) => reads.values(ended) };
    await keepWebhook(dependencies, CALLER, run, { status: 'success' });
    expect(await deliver(runId)).toBe(true);
    expect(JSON.parse(receiver.received[0]?.body ?? '')).toMatchObject({
      status: 'success',
      values_omitted: expect.stringMatching(/^the body would have 136\d{5} bytes/),
    });
    await keepWebhook(dependencies, CALLER, { ...run, status: 'error' }, { status: 'success' });
    expect(await deliver(runId)).toBe(false);
  });
});
