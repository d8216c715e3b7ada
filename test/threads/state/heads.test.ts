import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { MongoClient, type Db } from 'mongodb';
import type { Server } from '../../../servers/server.js';
import { startServer } from '../../../servers/embedded-servers.js';
import { encodeFence } from '../../../protocol/index.js';
import { MongoHeads, MongoSaver } from '../../../threads/index.js';
import { writeGroup, writeKey } from '../../../threads/state/state-documents.js';

const fence = (attempt: number) => encodeFence({ run: 1, step: 1, attempt });

describe('the head of a thread', () => {
  let dataDir: string;
  let server: Server;
  let stopped: MongoClient;
  let client: MongoClient;
  let db: Db;
  let heads: MongoHeads;

  beforeAll(async () => {
    // Uses a database server of its own, because these tests leave a transaction open. If the
    // server is SecantusDB, `MongoHeads` then ends the sessions of all clients of the server.
    dataDir = mkdtempSync(join(tmpdir(), 'colloquy-heads-'));
    const options = { dataDir, toolsDir: resolve('.colloquy'), mongodbPort: 0, searchPath: process.env['PATH'] };
    server = await startServer('mongodb', { ...options, onProgress: () => undefined });
    const uri = server.address;
    [stopped, client] = await Promise.all([MongoClient.connect(uri), MongoClient.connect(uri)]);
    db = client.db(`heads_${process.pid}`);
    heads = new MongoHeads(db);
  }, 60_000);
  afterAll(async () => {
    await Promise.all([stopped.close(), client.close()]);
    await server.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  it('accepts the higher fence of the next attempt while a dead writer has an open transaction on the head', async () => {
    const threadId = randomUUID();
    await heads.raiseFence('t', threadId, fence(1));
    const session = stopped.startSession();
    session.startTransaction();
    await new MongoHeads(stopped.db(db.databaseName)).change(session, 't', threadId, {
      heads: {},
      fence: fence(1),
      rev: 1,
    });
    expect(await heads.raiseFence('t', threadId, fence(2))).toMatchObject({ fence: fence(2) });
    await expect(session.commitTransaction()).rejects.toThrow();
    expect(await heads.readHead('t', threadId)).toMatchObject({ fence: fence(2) });
    await session.endSession();
  });

  it('lets the next writer store a pending write although a dead writer still has a lock on that pending write', async () => {
    const threadId = randomUUID();
    const session = stopped.startSession();
    session.startTransaction();
    const group = writeGroup('t', threadId, '', 'c');
    const lockedWrite = { _id: writeKey(group, 'task', 0) as never, group };
    await stopped.db(db.databaseName).collection('checkpoints').insertOne(lockedWrite, { session });
    const saver = new MongoSaver({ client, db, tenant: 't' });
    const config = { configurable: { thread_id: threadId, checkpoint_ns: '', checkpoint_id: 'c' } };
    await saver.putWrites(config, [['channel', 'value']], 'task');
    await expect(session.commitTransaction()).rejects.toThrow();
    expect(await db.collection('checkpoints').countDocuments({ group, 'write.channel': 'channel' })).toBe(1);
    await session.endSession();
  });

  it('refuses a writer whose fence is lower than the stored fence', async () => {
    const threadId = randomUUID();
    await heads.raiseFence('t', threadId, fence(2));
    await expect(heads.raiseFence('t', threadId, fence(1))).rejects.toMatchObject({ code: 'fence_lost' });
  });
});
