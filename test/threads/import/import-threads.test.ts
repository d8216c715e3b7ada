import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HumanMessage } from '@langchain/core/messages';
import { emptyCheckpoint, uuid6, type BaseCheckpointSaver } from '@langchain/langgraph-checkpoint';
import { MongoDBSaver } from '@langchain/langgraph-checkpoint-mongodb';
import { MongoClient } from 'mongodb';
import { MongoSaver, createThreadStore, ensureIndexes, importThreads } from '../../../threads/index.js';
import { NO_STATE, caller } from '../records/support.js';

const client = new MongoClient(process.env.COLLOQUY_TEST_MONGODB_URI ?? '');
const db = client.db(`test_import_${process.pid}`);
const theirs = client.db(`test_import_source_${process.pid}`);
const official = new MongoDBSaver({ client: client as never, dbName: theirs.databaseName });
const ours = new MongoSaver({ client, db, tenant: 'acme' });

beforeAll(async () => {
  await client.connect();
  await ensureIndexes(db);
  await official.setup();
});
afterAll(async () => {
  await Promise.all([db.dropDatabase(), theirs.dropDatabase()]);
  await client.close();
});

const at = (threadId: string, id?: string, ns = '') => ({
  configurable: { thread_id: threadId, checkpoint_ns: ns, ...(id && { checkpoint_id: id }) },
});

async function imported() {
  const outcomes: string[] = [];
  const source = { db: theirs, checkpoints: 'checkpoints', writes: 'checkpoint_writes' };
  const standing = () => Promise.resolve({ status: 'idle', interrupts: {} } as const);
  for await (const { outcome } of importThreads({ client, db, caller: caller(), source, metadata: {}, standing })) {
    outcomes.push(outcome);
  }
  return outcomes;
}

async function history(saver: BaseCheckpointSaver<number> | BaseCheckpointSaver<string>, threadId: string) {
  const found: unknown[] = [];
  for await (const { checkpoint, metadata, parentConfig, pendingWrites } of saver.list(at(threadId))) {
    const parent = parentConfig?.configurable?.checkpoint_id as string | undefined;
    const values = JSON.stringify(checkpoint.channel_values, Object.keys(checkpoint.channel_values).sort());
    found.push([checkpoint.id, parent, metadata?.step, values, checkpoint.channel_values, pendingWrites]);
  }
  return found;
}

describe('an imported thread', () => {
  it('has the values, writes and parents it had, and stores what a long list keeps only once', async () => {
    const threadId = randomUUID();
    const messages: HumanMessage[] = [];
    let parent: string | undefined;
    for (let step = 0; step < 60; step += 1) {
      messages.push(new HumanMessage({ id: `m${step}`, content: `${step} ${'x'.repeat(1_500)}` }));
      const id = uuid6(step);
      const versions = { messages: step + 1, kept: 1 };
      const values = { channel_values: { messages: [...messages], kept: 'always' }, channel_versions: versions };
      const seen = { versions_seen: { node: { messages: step + 1 } } };
      await official.put(
        at(threadId, parent),
        { ...emptyCheckpoint(), id, ...values, ...seen },
        {
          source: 'loop',
          step,
          parents: {},
        },
      );
      await official.putWrites(
        at(threadId, id),
        [
          ['messages', step],
          ['__error__', 'no'],
          ['kept', 'x'],
        ],
        'task',
      );
      parent = id;
    }
    expect(await imported()).toEqual(['imported']);
    expect(await history(ours, threadId)).toEqual(await history(official, threadId));
    const size = async (of: typeof db) => {
      const [sum] = await of
        .collection('checkpoints')
        .aggregate<{ bytes: number }>([{ $group: { _id: null, bytes: { $sum: { $bsonSize: '$$ROOT' } } } }])
        .toArray();
      return sum?.bytes ?? 0;
    };
    const [before, after] = [await size(theirs), await size(db)];
    expect(after * 3).toBeLessThan(before);
    const head = await ours.getTuple(at(threadId));
    expect(head?.checkpoint.versions_seen['node']).toEqual({ messages: head?.checkpoint.channel_versions['messages'] });
  });

  it('never takes the place of a thread that is there', async () => {
    const threadId = randomUUID();
    const store = createThreadStore({ db, ...NO_STATE });
    const own = await store.createThread(caller(), { threadId, metadata: { own: true } });
    await ours.put(at(threadId), emptyCheckpoint(), { source: 'loop', step: 7, parents: {} }, {});
    await official.put(at(threadId), emptyCheckpoint(), { source: 'loop', step: 1, parents: {} });
    expect((await imported()).sort()).toEqual(['refused', 'there']);
    expect(await store.getThread(caller(), threadId)).toEqual(own);
    expect((await ours.getTuple(at(threadId)))?.metadata?.step).toBe(7);
  });

  it('goes on with the others where one is malformed or its graph fails', async () => {
    const [torn, failing, whole] = [randomUUID(), randomUUID(), randomUUID()];
    const malformed = { ...emptyCheckpoint(), channel_versions: null, versions_seen: null } as never;
    await official.put(at(torn), malformed, { source: 'loop', step: 1, parents: {} });
    for (const threadId of [failing, whole]) {
      await official.put(at(threadId), emptyCheckpoint(), { source: 'loop', step: 1, parents: {} });
    }
    const source = { db: theirs, checkpoints: 'checkpoints', writes: 'checkpoint_writes' };
    const standing = async (threadId: string) => {
      if (threadId === failing) throw new TypeError('the graph fails');
      return { status: 'idle', interrupts: {} } as const;
    };
    const outcomes = new Map<string, string>();
    for await (const one of importThreads({ client, db, caller: caller(), source, metadata: {}, standing })) {
      outcomes.set(one.threadId, one.outcome === 'refused' ? `refused: ${one.reason}` : one.outcome);
    }
    expect(outcomes.get(torn)).toMatch(/^refused: ./);
    expect(outcomes.get(failing)).toBe('refused: the graph fails');
    expect(outcomes.get(whole)).toBe('imported');
  });
});
