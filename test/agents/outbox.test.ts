import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { MongoClient } from 'mongodb';
import {
  MemoryOutbox,
  OUTBOX_KEY,
  TENANT_KEY,
  outboxFrom,
  tenantFrom,
  type Outbox,
  type OutboxMessage,
} from '../../agents/outbox.js';
import { MongoOutbox } from '../../workers/mongo-outbox.js';

const message: OutboxMessage = {
  tenant: 'acme',
  threadId: 'thread-1',
  to: { id: 'c-001', name: 'Ana Silva', email: 'ana.silva@example.com' },
  subject: 'Hello',
  body: 'Hello Ana',
};

const client = new MongoClient(process.env.COLLOQUY_TEST_MONGODB_URI ?? 'mongodb://127.0.0.1:27017');
const db = client.db(`outbox_${randomUUID().slice(0, 8)}`);
beforeAll(async () => {
  await client.connect();
});
afterAll(async () => {
  await db.dropDatabase();
  await client.close();
});

const adapters: [string, () => Outbox][] = [
  ['in memory', () => new MemoryOutbox()],
  ['in MongoDB', () => new MongoOutbox(db)],
];

describe.each(adapters)('an outbox %s', (_, create) => {
  it('sends one message for each idempotency key, even if a later message with that key is different', async () => {
    const outbox = create();
    const key = randomUUID();
    expect(await outbox.send(key, message)).toEqual({ firstTime: true });
    expect(await outbox.send(key, { ...message, subject: 'Hello again' })).toEqual({ firstTime: false });
  });

  it('sends one message for concurrent calls with the same idempotency key', async () => {
    const outbox = create();
    const key = randomUUID();
    const sent = await Promise.all(Array.from({ length: 10 }, () => outbox.send(key, message)));
    expect(sent.filter(({ firstTime }) => firstTime)).toHaveLength(1);
  });

  it('sends one message for each tenant if several tenants use the same idempotency key', async () => {
    const outbox = create();
    const key = randomUUID();
    await outbox.send(key, message);
    expect(await outbox.send(key, { ...message, tenant: 'other' })).toEqual({ firstTime: true });
  });
});

describe('the outbox of a graph', () => {
  it('is the outbox in the config of the graph', () => {
    const outbox = new MemoryOutbox();
    expect(outboxFrom({ [OUTBOX_KEY]: outbox })).toBe(outbox);
  });

  it('is an outbox in memory if the config has none; all graphs without an outbox share it', () => {
    expect(outboxFrom(undefined)).toBe(outboxFrom({}));
  });

  it('must have a function `send`: any other value in the config is refused', () => {
    expect(() => outboxFrom({ [OUTBOX_KEY]: 'mail' })).toThrow('expected an outbox with a send function, found string');
  });

  it('sends for the tenant that `tenantFrom` finds in the config, or for the tenant `default` if the config names none', () => {
    expect(tenantFrom({ [TENANT_KEY]: 'acme' })).toBe('acme');
    expect(tenantFrom({})).toBe('default');
  });
});
