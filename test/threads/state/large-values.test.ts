import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HumanMessage } from '@langchain/core/messages';
import { emptyCheckpoint, uuid6 } from '@langchain/langgraph-checkpoint';
import { createHash } from 'node:crypto';
import { MongoClient } from 'mongodb';
import { MongoSaver, ensureStateIndexes, keepLatest } from '../../../threads/index.js';

const client = new MongoClient(process.env.COLLOQUY_TEST_MONGODB_URI ?? '', { monitorCommands: true });
const db = client.db(`test_large_values_${process.pid}`);
const tenant = 'acme';
const MEGABYTE = 2 ** 20;

beforeAll(async () => {
  await client.connect();
  await ensureStateIndexes(db);
});
afterAll(async () => {
  await db.dropDatabase();
  await client.close();
});

const configOf = (thread_id: string, checkpoint_id?: string) => ({
  configurable: { thread_id, checkpoint_ns: '', ...(checkpoint_id && { checkpoint_id }) },
});
const text = (seed: string, megabytes: number) => seed.repeat((megabytes * MEGABYTE) / seed.length);
const digest = (value: unknown) => createHash('sha256').update(JSON.stringify(value)).digest('hex');

async function commit(threadId: string, values: Record<string, unknown>, parent?: string): Promise<string> {
  const saver = new MongoSaver({ client, db, tenant, exclusive: true });
  const versions = Object.fromEntries(Object.keys(values).map((name) => [name, saver.getNextVersion(undefined)]));
  const id = uuid6(0);
  const checkpoint = { ...emptyCheckpoint(), id, channel_values: values, channel_versions: versions };
  await saver.put(configOf(threadId, parent), checkpoint, { source: 'loop', step: 1, parents: {} }, versions);
  return id;
}

const reader = () => new MongoSaver({ client, db, tenant });
const read = async (threadId: string) => (await reader().getTuple(configOf(threadId)))?.checkpoint.channel_values ?? {};

describe('large state', () => {
  it('a checkpoint with values of 60 MB in total is committed and read', async () => {
    const values = {
      file: text('file contents ', 20),
      bytes: new Uint8Array(18 * MEGABYTE).map((_, index) => index % 251),
      messages: [
        new HumanMessage({ id: 'a', content: text('image ', 22) }),
        new HumanMessage({ id: 'b', content: 'see' }),
      ],
    };
    await commit('large', values);
    const found = await read('large');
    expect(digest(found['file'])).toBe(digest(values.file));
    expect(Buffer.compare(found['bytes'] as Uint8Array, values.bytes)).toBe(0);
    expect(digest(found['messages'])).toBe(digest(values.messages));
  }, 120_000);

  it('a pending write of 17 MB is stored and read', async () => {
    const id = await commit('write', { n: 1 });
    const value = text('result ', 17);
    await reader().putWrites(configOf('write', id), [['files', value]], 'task');
    const tuple = await reader().getTuple(configOf('write'));
    expect(tuple?.pendingWrites?.map(([task, channel, found]) => [task, channel, digest(found)])).toEqual([
      ['task', 'files', digest(value)],
    ]);
  }, 60_000);

  it('a failed commit leaves only chunks (parts of values) that no reader sees, and pruning removes them', async () => {
    const id = await commit('lost', { n: 1 });
    const stale = new MongoSaver({ client, db, tenant, exclusive: true });
    await stale.getTuple(configOf('lost'));
    await commit('lost', { n: 2 }, id);
    const files = stale.getNextVersion(undefined);
    const checkpoint = {
      ...emptyCheckpoint(),
      channel_values: { files: text('file ', 9) },
      channel_versions: { files },
    };
    const metadata = { source: 'loop', step: 2, parents: {} } as const;
    await expect(stale.put(configOf('lost', id), checkpoint, metadata, { files })).rejects.toMatchObject({
      code: 'fence_lost',
    });
    const chunks = () => db.collection('checkpoints').countDocuments({ group: `${tenant}/lost/l/` });
    expect(await chunks()).toBe(2);
    expect(await read('lost')).toEqual({ n: 2 });
    await keepLatest({ client, db, tenant }, 'lost');
    expect(await chunks()).toBe(0);
    expect(await read('lost')).toEqual({ n: 2 });
  }, 60_000);
});
