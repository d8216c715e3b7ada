import { describe, it, expect, beforeAll, afterAll } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { Connection } from '@temporalio/client';
import { MongoClient } from 'mongodb';
import { loadConfig } from '../../config/index.js';
import type { Variable } from '../../config/index.js';
import { freePort } from '../../servers/ports.js';
import { MongoOutbox, connectTemporal, ensureSearchAttributes, openStores, startWorker } from '../../workers/index.js';

const database = `workers-${randomUUID()}`;
const address = process.env.COLLOQUY_TEST_TEMPORAL_ADDRESS ?? '';
const uri = process.env.COLLOQUY_TEST_MONGODB_URI ?? '';
let mongo: MongoClient;

function configure(changes: Partial<Record<Variable, string>> = {}) {
  return loadConfig(
    {
      TEMPORAL_ADDRESS: address,
      MONGODB_URI: uri,
      MONGODB_DATABASE: database,
      COLLOQUY_TASK_QUEUE: database,
      COLLOQUY_LOG_LEVEL: 'error',
      ...changes,
    },
    {},
  );
}

beforeAll(async () => {
  mongo = await MongoClient.connect(uri);
});
afterAll(async () => {
  await mongo.db(database).dropDatabase();
  await mongo.close();
});

describe('a worker', () => {
  it('registers its graphs, answers its health check while it runs, and can be stopped twice', async () => {
    const healthPort = await freePort();
    const worker = await startWorker(configure({ COLLOQUY_HEALTH_PORT: String(healthPort) }));
    const stores = await openStores(configure());
    const caller = { tenant: 'default', principal: { kind: 'service', id: 'test' }, onBehalfOf: [] } as const;
    const assistant = await stores.assistants.getAssistant(caller, 'hiring-assistant');
    expect(assistant.graphId).toBe('hiring-assistant');
    expect((await fetch(`http://127.0.0.1:${healthPort}/ok`)).status).toBe(200);
    expect((await fetch(`http://127.0.0.1:${healthPort}/else`)).status).toBe(404);
    await Promise.all([worker.stop(), worker.stop(), stores.close()]);
    await expect(fetch(`http://127.0.0.1:${healthPort}/ok`)).rejects.toThrow('fetch failed');
  });

  it('fails with an error that names the address of the Temporal or MongoDB server that does not answer', async () => {
    const port = await freePort();
    const nowhere = `127.0.0.1:${port}`;
    await expect(connectTemporal(configure({ TEMPORAL_ADDRESS: nowhere }).temporal, 200)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining(`Temporal does not answer at ${nowhere}`) as unknown,
    });
    const withPassword = `mongodb://user:secret@${nowhere}/?serverSelectionTimeoutMS=200`;
    const opened = openStores(configure({ MONGODB_URI: withPassword }));
    await expect(opened).rejects.toThrow(`MongoDB does not answer at mongodb://***@${nowhere}`);
    await expect(opened).rejects.not.toThrow('secret');
  });

  it('fails with an error that names the missing Temporal namespace', async () => {
    const started = startWorker(configure({ TEMPORAL_NAMESPACE: 'nobodys' }));
    await expect(started).rejects.toThrow('Temporal has no namespace nobodys');
  });

  it('fails to start if the port number of its health check is taken', async () => {
    const taken = createServer().listen(0);
    const { port } = taken.address() as { port: number };
    const started = startWorker(configure({ COLLOQUY_HEALTH_PORT: String(port) }));
    await expect(started).rejects.toThrow(/EADDRINUSE/);
    await new Promise((closed) => taken.close(closed));
  });
});

describe('Colloquy’s search attributes in Temporal', () => {
  it('are created if the Temporal namespace does not have them; to create them again is no error', async () => {
    const connection = await Connection.connect({ address });
    const namespace = `attributes-${randomUUID()}`;
    await connection.workflowService.registerNamespace({
      namespace,
      workflowExecutionRetentionPeriod: { seconds: 86_400 as never },
    });
    await ensureSearchAttributes(connection, namespace);
    await ensureSearchAttributes(connection, namespace);
    const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
    expect(Object.keys(customAttributes)).toEqual(
      expect.arrayContaining(['ColloquyAssistant', 'ColloquyStatus', 'ColloquyTenant']),
    );
    await connection.close();
  });
});

describe('the outbox', () => {
  it('sends a message only once for each tenant and idempotency key, even if the call is repeated', async () => {
    const db = mongo.db(database);
    const message = {
      tenant: 'acme',
      threadId: 't1',
      to: { id: 'c1', name: 'Ada', email: 'ada@example.com' },
      subject: 'Hello',
      body: 'first',
    };
    const tries = await Promise.all([1, 2, 3].map(() => new MongoOutbox(db).send('k1', message)));
    expect(tries.filter((one) => one.firstTime)).toHaveLength(1);
    expect(await new MongoOutbox(db).send('k1', { ...message, body: 'changed' })).toEqual({ firstTime: false });
    expect(await new MongoOutbox(db).send('k1', { ...message, tenant: 'other' })).toEqual({ firstTime: true });
    const stored = await db.collection('outbox').find({ tenant: 'acme' }).toArray();
    expect(stored.map((document) => document['body'])).toEqual(['first']);
  });
});
