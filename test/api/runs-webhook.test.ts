import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { resolve } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { Connection, Client as TemporalClient } from '@temporalio/client';
import { MongoClient } from 'mongodb';
import { Webhook } from 'standardwebhooks';
import { ServiceProcesses, type ServiceProcess } from '../support/house.js';
import { Receiver, type Received } from '../support/receiver.js';

const SECRET = `whsec_${Buffer.from('the secret of this operator').toString('base64')}`;

interface Body {
  run_id: string;
  status: string;
  values?: { log?: string[] };
  [field: string]: unknown;
}

/** Returns the body of a received webhook. Throws if the signature of the webhook is wrong. */
function verified({ body, headers }: Received): Body {
  return new Webhook(SECRET).verify(body, headers as Record<string, string>) as Body;
}

describe('webhooks', () => {
  const house = new ServiceProcesses(resolve('test/fixtures/projects/calculator/langgraph.json'), {
    COLLOQUY_EGRESS_ALLOW: '127.0.0.1',
    COLLOQUY_WEBHOOK_SECRET: SECRET,
  });
  const mongo = new MongoClient(house.mongodbUri);
  let connection: Connection;
  let worker: ServiceProcess;
  let client: Client;
  let receiver: Receiver;

  beforeAll(async () => {
    const [first, api] = await Promise.all([house.worker(), house.api(), mongo.connect()]);
    connection = await Connection.connect({ address: house.temporalAddress });
    worker = first;
    client = new Client({ apiUrl: api.url, apiKey: null });
  }, 60_000);
  afterAll(async () => {
    await house.stop();
    await Promise.all([mongo.close(), connection.close()]);
  });
  beforeEach(async () => {
    receiver = await Receiver.start();
  });
  afterEach(() => receiver.close());

  async function newThread(): Promise<string> {
    return (await client.threads.create()).thread_id;
  }

  it('are signed, report the end of the run, and are sent with the same id until the receiver accepts them', async () => {
    receiver.reply = (n) => ({ status: n === 1 ? 500 : 204 });
    const threadId = await newThread();
    const run = await client.runs.create(threadId, 'calculator', {
      input: { log: ['1+2'] },
      metadata: { for: 'test' },
      webhook: `${receiver.url}/hook?token=t`,
    });
    const [refused, taken] = [await receiver.waitFor(1), await receiver.waitFor(2)];
    for (const { path, headers } of [refused, taken]) {
      expect(path).toBe('/hook?token=t');
      expect(headers).toMatchObject({ 'content-type': 'application/json', 'webhook-id': run.run_id });
    }
    const body = verified(taken);
    expect(body).toMatchObject({
      run_id: run.run_id,
      thread_id: threadId,
      assistant_id: run.assistant_id,
      status: 'success',
      values: { log: ['1+2', '3'] },
      error: null,
      multitask_strategy: 'enqueue',
      kwargs: { input: { log: ['1+2'] }, webhook: `${receiver.url}/hook?token=t` },
    });
    expect(body['metadata']).toMatchObject({ for: 'test' });
    const times = ['created_at', 'run_started_at', 'run_ended_at', 'webhook_sent_at'].map((at) => String(body[at]));
    expect([...times].sort()).toEqual(times);
    expect(new Date(times[1] ?? '').toISOString()).toBe(times[1]);
  });

  it('contain the values of the thread at the end of their run, not the values of later runs', async () => {
    const threadId = await newThread();
    const runs = [];
    for (const sum of ['1+1', '2+2', '3+3']) {
      runs.push(await client.runs.create(threadId, 'calculator', { input: { log: [sum] }, webhook: receiver.url }));
    }
    const logs = [];
    for (const { run_id } of runs) {
      const received = await receiver.waitFor(1, ({ headers }) => headers['webhook-id'] === run_id);
      logs.push(verified(received).values?.log?.length);
    }
    expect(logs).toEqual([2, 4, 6]);
  });

  it('are not sent any more after their thread was deleted, except the webhooks of stateless runs', async () => {
    receiver.reply = () => ({ status: 503 });
    const threadId = await newThread();
    const run = await client.runs.create(threadId, 'calculator', { input: { log: ['1+1'] }, webhook: receiver.url });
    const stateless = await client.runs.create(null, 'calculator', { input: { log: ['2+2'] }, webhook: receiver.url });
    for (const { run_id } of [run, stateless]) {
      await receiver.waitFor(1, ({ headers }) => headers['webhook-id'] === run_id);
    }
    await client.threads.delete(threadId);
    await client.threads.delete(stateless.thread_id);
    const db = mongo.db(house.name);
    const left = await db.collection('deliveries').find({}).toArray();
    expect(left.map(({ _id }) => String(_id)).filter((id) => id.endsWith(run.run_id))).toEqual([]);
    expect(left.map(({ _id }) => String(_id))).toContain(`default/${stateless.run_id}`);
    const delivered = new TemporalClient({ connection }).workflow.getHandle(`webhook/default/${run.run_id}`);
    expect(await delivered.result()).toBe(false);
  });

  it('report a failure, an interrupt, a cancellation and a rollback', async () => {
    const threadId = await newThread();
    const failed = await client.runs.create(threadId, 'broken', { input: { log: [] }, webhook: receiver.url });
    await client.runs.join(threadId, failed.run_id);
    const asking = await client.runs.create(threadId, 'calculator', { input: { log: ['?'] }, webhook: receiver.url });
    await client.runs.join(threadId, asking.run_id);
    const stopped = await client.runs.create(threadId, 'gate', { input: { log: [] }, webhook: receiver.url });
    await client.runs.cancel(threadId, stopped.run_id, true);
    const undone = await client.runs.create(threadId, 'gate', { input: { log: ['x'] }, webhook: receiver.url });
    await client.runs.cancel(threadId, undone.run_id, true, 'rollback');
    const told = [];
    for (const { run_id } of [failed, asking, stopped, undone]) {
      const { status, error } = verified(await receiver.waitFor(1, ({ headers }) => headers['webhook-id'] === run_id));
      told.push([status, error]);
    }
    expect(told).toEqual([
      ['error', 'the node cannot do this'],
      ['interrupted', null],
      ['interrupted', null],
      ['interrupted', null],
    ]);
    await expect(client.runs.get(threadId, undone.run_id)).rejects.toThrow('HTTP 404');
  });

  it('of a stateless run are delivered even after its thread was deleted and the worker was killed', async () => {
    const second = await house.worker();
    let up = false;
    receiver.reply = () => ({ status: up ? 200 : 503 });
    const values = await client.runs.wait(null, 'calculator', { input: { log: ['4+4'] }, webhook: receiver.url });
    expect(values).toEqual({ log: ['4+4', '8'] });
    const { headers, body } = await receiver.waitFor(1);
    await client.threads.delete((JSON.parse(body) as { thread_id: string }).thread_id);
    await worker.kill('SIGKILL');
    up = true;
    const again = await receiver.waitFor(
      1,
      (one) => one.headers['webhook-id'] === headers['webhook-id'] && one.body !== body,
    );
    expect(verified(again)).toMatchObject({ status: 'success', values: { log: ['4+4', '8'] } });
    worker = second;
  }, 90_000);

  it('are refused together with their run if their URL is forbidden', async () => {
    const threadId = await newThread();
    const create = (webhook: string) =>
      client.runs.create(threadId, 'calculator', { input: { log: ['1+1'] }, webhook });
    await expect(create('http://169.254.169.254/latest/meta-data')).rejects.toThrow(
      'HTTP 422: webhook: 169.254.169.254 has the address 169.254.169.254 (linkLocal), which may not be reached from here',
    );
    await expect(create('/internal')).rejects.toThrow('HTTP 422: webhook: "/internal" is no http or https URL');
    await expect(create('http://me:pw@127.0.0.1/')).rejects.toThrow(
      'HTTP 422: webhook: the URL of 127.0.0.1 has a user',
    );
    expect(await client.runs.list(threadId)).toEqual([]);
    expect(receiver.received).toEqual([]);
  });
});
