import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { BaseCheckpointSaver, DeltaSnapshot, emptyCheckpoint, uuid6 } from '@langchain/langgraph-checkpoint';
import { MongoClient } from 'mongodb';
import { MongoSaver, ensureStateIndexes } from '../../../threads/index.js';

const client = new MongoClient(process.env.COLLOQUY_TEST_MONGODB_URI ?? '', { monitorCommands: true });
const db = client.db(`test_delta_${process.pid}`);
const saver = new MongoSaver({ client, db, tenant: 'acme' });
const commands: string[] = [];
client.on('commandStarted', ({ commandName }) => commands.push(commandName));

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

/**
 * Commits the checkpoint of a step of a graph with two delta channels, `a` and `b`. If `snapshot`
 * is given, the checkpoint contains it as the whole value of channel `a`. Returns the checkpoint
 * id.
 */
async function step(threadId: string, number: number, parent?: string, snapshot?: unknown[]): Promise<string> {
  const id = uuid6(0);
  const versions = { a: saver.getNextVersion(number), b: saver.getNextVersion(number) };
  const values = snapshot && { a: new DeltaSnapshot(snapshot) };
  const checkpoint = { ...emptyCheckpoint(), id, channel_values: values ?? {}, channel_versions: versions };
  const count: [number, number] = [number, number];
  const counters = { counters_since_delta_snapshot: { a: count, b: count } };
  await saver.put(
    configOf(threadId, parent),
    checkpoint,
    { source: 'loop', step: number, parents: {}, ...counters },
    versions,
  );
  return id;
}

describe('the history of delta channels', () => {
  it('is read in four queries, and equals the result of LangGraph’s own walk over the ancestor checkpoints', async () => {
    let id = await step('long', 0);
    const ids = [id];
    for (let number = 1; number <= 60; number += 1) {
      await saver.putWrites(
        configOf('long', id),
        [
          ['a', number],
          ['b', -number],
        ],
        'task-2',
        '2',
      );
      await saver.putWrites(configOf('long', id), [['a', `${number}`]], 'task-1', '1');
      id = await step('long', number, id, number === 20 ? ['whole'] : undefined);
      ids.push(id);
    }
    const channels = ['a', 'b', 'unknown'];
    const walk = (checkpoint?: string) =>
      BaseCheckpointSaver.prototype.getDeltaChannelHistory.call(saver, {
        config: configOf('long', checkpoint),
        channels,
      });
    const read = (checkpoint?: string) =>
      saver.getDeltaChannelHistory({ config: configOf('long', checkpoint), channels });
    commands.length = 0;
    const history = await read(id);
    expect(commands.splice(0)).toEqual(['find', 'find', 'find', 'find']);
    expect(history).toEqual(await walk(id));
    expect(history['a']?.seed).toEqual(new DeltaSnapshot(['whole']));
    expect(history['a']?.writes).toHaveLength(80);
    expect(await read()).toEqual(history);
    expect(await read(ids[10])).toEqual(await walk(ids[10]));
    // A fork at checkpoint 29: its history contains no writes of later checkpoints.
    const fork = await step('long', 30, ids[29]);
    expect(await read(fork)).toEqual(await walk(fork));
    expect(await read('1ef00000-0000-6000-8000-000000000000')).toEqual(
      Object.fromEntries(channels.map((channel) => [channel, { writes: [] }])),
    );
  }, 60_000);
});
