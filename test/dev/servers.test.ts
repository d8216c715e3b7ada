import { describe, it, expect, afterEach } from '@jest/globals';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { MongoClient } from 'mongodb';
import { startServer } from '../../dev/servers.js';
import type { Server } from '../../dev/server.js';

const folder = mkdtempSync(join(tmpdir(), 'colloquy-servers-'));
const options = { dataDir: folder, toolsDir: resolve('.colloquy'), mongodbPort: 0, temporalPort: 0, headless: true };
let server: Server | undefined;

afterEach(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true, force: true });
});

describe('the embedded database', () => {
  it('keeps its data and port over a SIGKILL and a restart', async () => {
    server = await startServer('mongodb', options);
    await insert(server.address, 'kept');
    await server.process?.kill();
    await server.process?.restart();
    expect(await ids(server.address)).toEqual(['kept']);
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
