import { randomUUID } from 'node:crypto';
import { afterAll } from '@jest/globals';
import { MongoClient, type MongoClientOptions } from 'mongodb';
import { encodeFence, type Caller, type Fence, type StoredEvent } from '../../protocol/index.js';
import {
  createEventLog,
  ensureIndexes,
  type EventLog,
  type MongoEventLogOptions,
  type RunLogScope,
} from '../../streams/index.js';
import { startTcpProxy, type TcpProxy } from './tcp-proxy.js';

export const uri = process.env.COLLOQUY_TEST_MONGODB_URI ?? '';

export function caller(tenant = 'acme'): Caller {
  return { tenant, principal: { kind: 'service', id: 'test' }, onBehalfOf: [] };
}

export function fence(run: number, step = 1, attempt = 1): Fence {
  return encodeFence({ run, step, attempt });
}

export function scope(threadId: string, given: Partial<RunLogScope> = {}): RunLogScope {
  return { threadId, runId: randomUUID(), fence: fence(1), ...given };
}

export function customEvent(data: unknown, event = 'custom') {
  return { ns: '', event, data: JSON.stringify(data) };
}

export function texts(events: StoredEvent[]): unknown[] {
  return events.map((event) => JSON.parse(event.data));
}

export function offsets(events: StoredEvent[]): number[] {
  return events.map((event) => event.seq);
}

export function upTo(last: number): number[] {
  return Array.from({ length: last }, (_, index) => index + 1);
}

/** Opens an event log with its own connection to MongoDB, like the event log of another process. */
export async function openEventLog(
  database: string,
  options: Partial<MongoEventLogOptions> & { address?: string; client?: MongoClientOptions } = {},
): Promise<{ log: EventLog; client: MongoClient; close: () => Promise<void> }> {
  const { address = uri, client: clientOptions, ...rest } = options;
  const client = await new MongoClient(address, clientOptions).connect();
  const log = createEventLog({ db: client.db(database), ...rest });
  const close = async () => {
    await log.close();
    await client.close();
  };
  return { log, client, close };
}

/**
 * Opens the event log of a test file in a database of its own. The database is dropped after the
 * tests of the file.
 */
export async function ownEventLog(name: string) {
  const database = `test_streams_${name}_${process.pid}`;
  const { log, client, close } = await openEventLog(database);
  afterAll(async () => {
    await client.db(database).dropDatabase();
    await close();
  });
  await ensureIndexes(client.db(database));
  const openRun = (...given: Parameters<typeof scope>) => log.open(caller(), scope(...given));
  return { database, log, client, openRun };
}

/**
 * Starts a proxy in front of the test's database server. `address` is the connection string of
 * MongoDB through the proxy.
 */
export async function proxiedServer(): Promise<TcpProxy & { address: string }> {
  const [host, options = ''] = uri.replace('mongodb://', '').split('/');
  const { hostname, port } = new URL(`tcp://${host}`);
  const proxy = await startTcpProxy({ host: hostname, port: Number(port) });
  return { ...proxy, address: `mongodb://127.0.0.1:${proxy.port}/${options || '?directConnection=true'}` };
}

/** Follows an event log until at least `count` events have arrived, and returns these events. */
export async function collect(log: EventLog, threadId: string, count: number, afterSeq = 0): Promise<StoredEvent[]> {
  const end = new AbortController();
  const events: StoredEvent[] = [];
  for await (const page of log.follow(caller(), threadId, { afterSeq, signal: end.signal })) {
    events.push(...page);
    if (events.length >= count) end.abort();
  }
  return events;
}
