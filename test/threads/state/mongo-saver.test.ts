import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { validate } from '@langchain/langgraph-checkpoint-validation';
import { emptyCheckpoint } from '@langchain/langgraph-checkpoint';
import { MongoClient } from 'mongodb';
import { MongoSaver, ensureStateIndexes } from '../../../threads/index.js';

const client = new MongoClient(process.env.COLLOQUY_TEST_MONGODB_URI ?? '', { monitorCommands: true });
const db = client.db(`test_mongo_saver_${process.pid}`);

beforeAll(async () => {
  await client.connect();
  await ensureStateIndexes(db);
});
afterAll(async () => {
  await db.dropDatabase();
  await client.close();
});

// The validation package expects a test runner with `expect.soft`, which Jest does not have.
Object.assign(expect, { soft: expect });

let tenants = 0;
validate({
  checkpointerName: 'MongoSaver',
  createCheckpointer: () => new MongoSaver({ client, db, tenant: `validation-${tenants++}` }) as never,
});

describe('MongoSaver', () => {
  it('returns the checkpoint in the thread’s head as the newest one, even if another checkpoint has a higher id', async () => {
    const saver = new MongoSaver({ client, db, tenant: 'newest' });
    const config = { configurable: { thread_id: 't', checkpoint_ns: '' } };
    const put = (id: string) =>
      saver.put(config, { ...emptyCheckpoint(), id }, { source: 'loop', step: 1, parents: {} }, {});
    await put('1ef00000-0000-6000-8000-000000000002');
    await put('1ef00000-0000-6000-8000-000000000001');
    expect((await saver.getTuple(config))?.checkpoint.id).toBe('1ef00000-0000-6000-8000-000000000001');
  });

  it('hides state that another tenant has stored under the same thread id', async () => {
    const config = { configurable: { thread_id: 'same', checkpoint_ns: '' } };
    const ours = new MongoSaver({ client, db, tenant: 'ours' });
    await ours.put(config, emptyCheckpoint(), { source: 'loop', step: 1, parents: {} }, {});
    const theirs = new MongoSaver({ client, db, tenant: 'theirs' });
    expect(await theirs.getTuple(config)).toBeUndefined();
  });

  it.each([false, true])(
    'executes concurrent calls of put and putWrites without a failed database command; option exclusive: %s',
    async (exclusive) => {
      const failed: string[] = [];
      client.on('commandFailed', ({ commandName }) => failed.push(commandName));
      const saver = new MongoSaver({ client, db, tenant: `at-once-${exclusive}`, exclusive });
      const config = { configurable: { thread_id: 't', checkpoint_ns: '' } };
      const first = { ...emptyCheckpoint(), id: '1ef00000-0000-6000-8000-000000000001' };
      const firstConfig = await saver.put(config, first, { source: 'loop', step: 0, parents: {} }, {});
      const second = { ...emptyCheckpoint(), id: '1ef00000-0000-6000-8000-000000000002' };
      await Promise.all([
        saver.putWrites(firstConfig, [['a', 1]], 'task-1'),
        saver.putWrites(firstConfig, [['a', 2]], 'task-2'),
        saver.put(firstConfig, second, { source: 'loop', step: 1, parents: {} }, {}),
      ]);
      expect((await saver.getTuple(config))?.checkpoint.id).toBe(second.id);
      expect((await saver.getTuple(firstConfig))?.pendingWrites).toEqual([
        ['task-1', 'a', 1],
        ['task-2', 'a', 2],
      ]);
      expect(failed).toEqual([]);
    },
  );
});
