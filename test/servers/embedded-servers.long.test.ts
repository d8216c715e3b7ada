import { describe, it, expect, beforeAll, afterEach, afterAll } from '@jest/globals';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { MongoClient } from 'mongodb';
import { MONGOD_DATA } from '../../servers/mongodb/data-names.js';
import { SECANTUS_DATA } from '../../servers/secantus/data-names.js';
import { sweep } from '../../servers/secantus/expiry.js';
import { startServer, startServers } from '../../servers/embedded-servers.js';
import type { Server } from '../../servers/server.js';
import { isAlive } from '../support/colloquy.js';
import { modes, openToAll, openToOthers } from '../support/modes.js';

const toolsDir = resolve('.colloquy');
let folder: string;
let running: Server[] = [];

function options() {
  return { dataDir: join(folder, 'data'), toolsDir, mongodbPort: 0, temporalPort: 0, headless: true };
}

async function start(kind: 'temporal' | 'mongodb', changes: object = {}): Promise<Server> {
  const server = await startServer(kind, { ...options(), ...changes });
  running.push(server);
  return server;
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'colloquy-servers-'));
});
afterEach(async () => {
  await Promise.all(running.map((server) => server.stop()));
  running = [];
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the embedded database', () => {
  it('keeps its data after a SIGKILL, a restart and a stop, and hides the data from other users', async () => {
    const umask = process.umask();
    const server = await start('mongodb');
    await insert(server.address, 'kept');
    expect(openToOthers(options().dataDir)).toEqual([]);
    expect(process.umask()).toBe(umask);
    const first = server.process?.pid;
    await server.process?.kill();
    await server.process?.restart();
    expect(server.process?.pid).not.toBe(first);
    expect(await ids(server.address)).toEqual(['kept']);
    await server.stop();

    openToAll(options().dataDir);
    expect(await ids((await start('mongodb')).address)).toEqual(['kept']);
    expect(openToOthers(options().dataDir)).toEqual([]);
  });

  it('does not start if its data were written by mongod, but mongod is not available any more', async () => {
    const dataDir = join(folder, 'mongod-data');
    const offline = join(folder, 'offline-tools');
    mkdirSync(join(dataDir, MONGOD_DATA), { recursive: true });
    mkdirSync(offline);
    writeFileSync(join(offline, 'downloads.json'), JSON.stringify({ 'fastdl.mongodb.org': Date.now() }));
    await expect(start('mongodb', { dataDir, toolsDir: offline })).rejects.toThrow(
      `${join(dataDir, MONGOD_DATA)} has data of mongod, which is neither installed nor can be downloaded`,
    );
    expect(readdirSync(dataDir).filter((name) => name === SECANTUS_DATA)).toEqual([]);
  });

  it('deletes documents that have expired according to a TTL index', async () => {
    const { address } = await start('mongodb');
    const client = await MongoClient.connect(address);
    const items = client.db('expiry').collection<{ _id: string; at?: Date }>('items');
    await items.createIndex({ at: 1 }, { expireAfterSeconds: 3_600 });
    const hoursAgo = (hours: number) => new Date(Date.now() - hours * 3_600_000);
    await items.insertMany([{ _id: 'old', at: hoursAgo(2) }, { _id: 'young', at: hoursAgo(0.5) }, { _id: 'timeless' }]);
    await sweep(address);
    expect((await items.find().sort({ _id: 1 }).toArray()).map(({ _id }) => _id)).toEqual(['timeless', 'young']);
    await client.close();
  });

  it('applies all conditions of a filter that contains `_id`, in reads and writes', async () => {
    const { address } = await start('mongodb');
    const client = await MongoClient.connect(address);
    const items = client.db('by_id').collection<{ _id: string; n: number }>('items');
    await items.insertMany(['a', 'b', 'c'].map((_id, n) => ({ _id, n })));
    expect(await items.findOne({ _id: 'b', n: 1 })).toEqual({ _id: 'b', n: 1 });
    expect(await items.findOne({ _id: 'b', n: 2 })).toBeNull();
    expect(await items.countDocuments({ _id: { $in: ['a', 'c', 'd'] }, n: { $gte: 1 } })).toBe(1);
    expect(await items.countDocuments({ _id: 'a', $or: [{ n: 1 }, { n: 2 }] })).toBe(0);
    expect(await items.findOneAndUpdate({ _id: 'b', n: { $lt: 1 } }, { $inc: { n: 10 } })).toBeNull();
    expect((await items.updateOne({ _id: 'b', n: { $lt: 2 } }, { $inc: { n: 10 } })).modifiedCount).toBe(1);
    await expect(items.updateOne({ _id: 'b', n: 1 }, { $inc: { n: 1 } }, { upsert: true })).rejects.toMatchObject({
      code: 11000,
    });
    expect((await items.deleteMany({ _id: { $gte: 'b' }, n: 11 })).deletedCount).toBe(1);
    expect((await items.deleteOne({ _id: 'c', n: 0 })).deletedCount).toBe(0);
    expect(await items.find().sort({ _id: 1 }).toArray()).toEqual([
      { _id: 'a', n: 0 },
      { _id: 'c', n: 2 },
    ]);
    await client.close();
  });

  it('answers a waiting change stream when the stream has an event, not at every write to the database', async () => {
    const { address } = await start('mongodb');
    const client = await MongoClient.connect(address, { monitorCommands: true });
    const db = client.db('waiting');
    const stream = db.collection('watched').watch([], { maxAwaitTimeMS: 60_000 });
    const opened = new Promise((resolve) => stream.once('resumeTokenChanged', resolve));
    let answers = 0;
    client.on('commandSucceeded', ({ commandName }) => void (commandName === 'getMore' && (answers += 1)));
    const change = stream.next();
    await opened;
    for (let n = 0; n < 20; n += 1) await db.collection('beside').insertOne({ n });
    await db.collection<{ _id: string }>('watched').insertOne({ _id: 'a' });
    expect(await change).toMatchObject({ operationType: 'insert', documentKey: { _id: 'a' } });
    expect(answers).toBeLessThan(3);
    await stream.close();
    await client.close();
  });

  it('reports a crash, but not a kill that was requested', async () => {
    const server = await start('mongodb');
    const crash = new Promise<string>((resolve) => server.process?.onCrash(resolve));
    await server.process?.kill();
    await server.process?.restart();
    process.kill(server.process?.pid ?? 0, 'SIGKILL');
    expect(await crash).toBe('signal SIGKILL');
    await server.process?.restart();
    await insert(server.address, 'after');
  });

  it('can be suspended and resumed, and then answers a request that it got in the meantime', async () => {
    const server = await start('mongodb');
    const client = await MongoClient.connect(server.address);
    server.process?.suspend();
    const answer = client.db('admin').command({ ping: 1 });
    server.process?.resume();
    expect(await answer).toMatchObject({ ok: 1 });
    await client.close();
  });
});

describe('the embedded Temporal', () => {
  it("keeps workflows after a restart, hides its files from other users, and has Colloquy's search attributes", async () => {
    const server = await start('temporal');
    const workflowId = 'conversation/default/kept';
    await withClient(server.address, (client) =>
      client.workflow.start('conversation', { workflowId, taskQueue: 'nobody', args: [] }),
    );
    await server.process?.restart();
    await withClient(server.address, async (client) => {
      expect((await client.workflow.getHandle(workflowId).describe()).status.name).toBe('RUNNING');
      const { customAttributes } = await client.connection.operatorService.listSearchAttributes({
        namespace: 'default',
      });
      expect(Object.keys(customAttributes)).toEqual(
        expect.arrayContaining(['ColloquyTenant', 'ColloquyAssistant', 'ColloquyStatus']),
      );
    });
    const { dataDir } = options();
    expect(openToOthers(dataDir)).toEqual([]);
    expect(modes(dataDir)).toMatchObject({
      ...{ '.': '700', logs: '700', 'logs/temporal.log': '600' },
      ...{ temporal: '700', 'temporal/temporal.db': '600', 'temporal/server.pid': '600' },
    });
  });
});

describe('embedded servers', () => {
  it('do not start on data that another server uses; the error names the process that started that server', async () => {
    const script = `
      const { startServer } = await import(${JSON.stringify(resolve('dist/servers/index.js'))});
      const server = await startServer('mongodb', ${JSON.stringify(options())});
      console.log(server.process.pid);`;
    const owner = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const pid = Number(await new Promise((resolve) => owner.stdout.once('data', resolve)));
    await expect(start('mongodb')).rejects.toThrow(`started by process ${owner.pid}`);

    // The database server exits when the process that started it exits, even by SIGKILL. After
    // that, another process can use the data.
    const exited = new Promise((resolve) => owner.once('exit', resolve));
    owner.kill('SIGKILL');
    await exited;
    await insert((await start('mongodb')).address, 'taken over');
    expect(isAlive(pid)).toBe(false);
  });

  it('do not start on a requested port number that is in use', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => taken.once('listening', resolve));
    const { port } = taken.address() as AddressInfo;
    await expect(start('mongodb', { mongodbPort: port })).rejects.toThrow(`port ${port} (mongodb) is in use`);
    taken.close();
  });

  it('are not started if the addresses of other servers are given', async () => {
    const servers = await startServers({
      ...options(),
      temporalAddress: 'temporal:7233',
      mongodbUri: 'mongodb://database',
    });
    expect([servers.temporal.address, servers.mongodb.address]).toEqual(['temporal:7233', 'mongodb://database']);
    expect([servers.temporal.process, servers.mongodb.process]).toEqual([undefined, undefined]);
    await servers.stop();
  });
});

async function insert(uri: string, id: string): Promise<void> {
  const client = await MongoClient.connect(uri);
  await client.db('t').collection<{ _id: string }>('c').insertOne({ _id: id });
  await client.close();
}

async function ids(uri: string): Promise<string[]> {
  const client = await MongoClient.connect(uri);
  const found = await client.db('t').collection<{ _id: string }>('c').find().toArray();
  await client.close();
  return found.map((document) => document._id);
}

async function withClient(
  address: string,
  use: (client: Client & { connection: Connection }) => Promise<unknown>,
): Promise<void> {
  const connection = await Connection.connect({ address });
  try {
    await use(new Client({ connection }) as Client & { connection: Connection });
  } finally {
    await connection.close();
  }
}
