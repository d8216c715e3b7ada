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
const sourceDb = client.db(`test_import_source_${process.pid}`);
const official = new MongoDBSaver({ client: client as never, dbName: sourceDb.databaseName });
const saver = new MongoSaver({ client, db, tenant: 'acme' });

beforeAll(async () => {
  await client.connect();
  await ensureIndexes(db);
  await official.setup();
});
afterAll(async () => {
  await Promise.all([db.dropDatabase(), sourceDb.dropDatabase()]);
  await client.close();
});

const configOf = (threadId: string, id?: string, ns = '') => ({
  configurable: { thread_id: threadId, checkpoint_ns: ns, ...(id && { checkpoint_id: id }) },
});

async function importAll() {
  const outcomes: string[] = [];
  const source = { db: sourceDb, checkpoints: 'checkpoints', writes: 'checkpoint_writes' };
  const settledState = () => Promise.resolve({ status: 'idle', interrupts: {} } as const);
  for await (const { outcome } of importThreads({ client, db, caller: caller(), source, metadata: {}, settledState })) {
    outcomes.push(outcome);
  }
  return outcomes;
}

async function history(readSaver: BaseCheckpointSaver<number> | BaseCheckpointSaver<string>, threadId: string) {
  const entries: unknown[] = [];
  for await (const { checkpoint, metadata, parentConfig, pendingWrites } of readSaver.list(configOf(threadId))) {
    const parent = parentConfig?.configurable?.checkpoint_id as string | undefined;
    const values = JSON.stringify(checkpoint.channel_values, Object.keys(checkpoint.channel_values).sort());
    entries.push([checkpoint.id, parent, metadata?.step, values, checkpoint.channel_values, pendingWrites]);
  }
  return entries;
}

describe('importing threads from LangGraph’s own MongoDB saver', () => {
  it('keeps the values, pending writes and parent of each checkpoint, and stores unchanged list elements only once', async () => {
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
        configOf(threadId, parent),
        { ...emptyCheckpoint(), id, ...values, ...seen },
        {
          source: 'loop',
          step,
          parents: {},
        },
      );
      await official.putWrites(
        configOf(threadId, id),
        [
          ['messages', step],
          ['__error__', 'no'],
          ['kept', 'x'],
        ],
        'task',
      );
      parent = id;
    }
    expect(await importAll()).toEqual(['imported']);
    expect(await history(saver, threadId)).toEqual(await history(official, threadId));
    const size = async (database: typeof db) => {
      const [sum] = await database
        .collection('checkpoints')
        .aggregate<{ bytes: number }>([{ $group: { _id: null, bytes: { $sum: { $bsonSize: '$$ROOT' } } } }])
        .toArray();
      return sum?.bytes ?? 0;
    };
    const [before, after] = [await size(sourceDb), await size(db)];
    expect(after * 3).toBeLessThan(before);
    const head = await saver.getTuple(configOf(threadId));
    expect(head?.checkpoint.versions_seen['node']).toEqual({ messages: head?.checkpoint.channel_versions['messages'] });
  });

  it('never changes a thread that exists already', async () => {
    const threadId = randomUUID();
    const store = createThreadStore({ db, ...NO_STATE });
    const own = await store.createThread(caller(), { threadId, metadata: { own: true } });
    await saver.put(configOf(threadId), emptyCheckpoint(), { source: 'loop', step: 7, parents: {} }, {});
    await official.put(configOf(threadId), emptyCheckpoint(), { source: 'loop', step: 1, parents: {} });
    expect((await importAll()).sort()).toEqual(['existing', 'refused']);
    expect(await store.getThread(caller(), threadId)).toEqual(own);
    expect((await saver.getTuple(configOf(threadId)))?.metadata?.step).toBe(7);
  });

  it('refuses a thread with a malformed checkpoint and a thread whose graph fails, and imports the other threads', async () => {
    const [malformedId, failing, complete] = [randomUUID(), randomUUID(), randomUUID()];
    const malformed = { ...emptyCheckpoint(), channel_versions: null, versions_seen: null } as never;
    await official.put(configOf(malformedId), malformed, { source: 'loop', step: 1, parents: {} });
    for (const threadId of [failing, complete]) {
      await official.put(configOf(threadId), emptyCheckpoint(), { source: 'loop', step: 1, parents: {} });
    }
    const source = { db: sourceDb, checkpoints: 'checkpoints', writes: 'checkpoint_writes' };
    const settledState = async (threadId: string) => {
      if (threadId === failing) throw new TypeError('the graph fails');
      return { status: 'idle', interrupts: {} } as const;
    };
    const outcomes = new Map<string, string>();
    for await (const thread of importThreads({ client, db, caller: caller(), source, metadata: {}, settledState })) {
      outcomes.set(thread.threadId, thread.outcome === 'refused' ? `refused: ${thread.reason}` : thread.outcome);
    }
    expect(outcomes.get(malformedId)).toMatch(/^refused: ./);
    expect(outcomes.get(failing)).toBe('refused: the graph fails');
    expect(outcomes.get(complete)).toBe('imported');
  });
});
