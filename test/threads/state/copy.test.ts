import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { emptyCheckpoint, uuid6, type CheckpointTuple } from '@langchain/langgraph-checkpoint';
import { MongoClient } from 'mongodb';
import { MongoSaver, copyState, ensureStateIndexes, keepLatest, thinState } from '../../../threads/index.js';

const client = new MongoClient(process.env.COLLOQUY_TEST_MONGODB_URI ?? '');
const db = client.db(`test_copy_${process.pid}`);
const tenant = 'acme';
const saver = new MongoSaver({ client, db, tenant });

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
 * Commits the checkpoint of a step, as a child of `parent`. Channel `n` contains the step number.
 * Channel `kept` is written only by the first checkpoint of a thread. Returns the checkpoint id.
 */
async function commit(threadId: string, step: number, parent?: string, metadata = {}): Promise<string> {
  const id = uuid6(step);
  const version = saver.getNextVersion(undefined);
  const versions = { n: `${String(step).padStart(12, '0')}.${version.slice(-12)}` };
  const before = parent === undefined ? undefined : await saver.getTuple(configOf(threadId, parent));
  const kept = before?.checkpoint.channel_versions['kept'] ?? `000000000001.${version.slice(-12)}`;
  const changed = before === undefined ? { ...versions, kept } : versions;
  const checkpoint = { ...emptyCheckpoint(), id, channel_values: { n: step, kept: 'always' } };
  await saver.put(
    configOf(threadId, parent),
    { ...checkpoint, channel_versions: { ...versions, kept } },
    { source: 'loop', step, parents: {}, ...metadata },
    changed,
  );
  return id;
}

async function history(threadId: string): Promise<CheckpointTuple[]> {
  const tuples: CheckpointTuple[] = [];
  for await (const tuple of saver.list(configOf(threadId))) tuples.push(tuple);
  return tuples;
}

describe('copying the state of a thread', () => {
  it('copies the original thread as it is at one moment, although a writer adds checkpoints meanwhile', async () => {
    let id = await commit('busy', 0);
    let step = 0;
    let stopped = false;
    const writing = (async () => {
      while (!stopped) id = await commit('busy', (step += 1), id);
    })();
    const copies = ['c1', 'c2', 'c3', 'c4', 'c5'];
    for (const to of copies) {
      await copyState({ client, db }, { tenant, from: 'busy', to });
      const stepAtCopy = step;
      while (step <= stepAtCopy) await new Promise((resolve) => setImmediate(resolve));
    }
    stopped = true;
    await writing;
    for (const to of copies) {
      const head = await saver.getTuple(configOf(to));
      const newest = Number(head?.metadata?.step);
      const states = (await history(to)).map(({ metadata, checkpoint }) => [metadata?.step, checkpoint.channel_values]);
      const expected = Array.from({ length: newest + 1 }, (_, n) => [newest - n, { n: newest - n, kept: 'always' }]);
      expect(states).toEqual(expected);
    }
  });

  it('copies pending writes; the copy stays complete after the original thread was deleted', async () => {
    const id = await commit('asked', 0);
    await saver.putWrites(configOf('asked', id), [['__interrupt__', { value: 'ok?' }]], 'task-1');
    await copyState({ client, db }, { tenant, from: 'asked', to: 'copy' });
    await saver.deleteThread('asked');
    const copy = await saver.getTuple(configOf('copy'));
    expect(copy?.pendingWrites).toEqual([['task-1', '__interrupt__', { value: 'ok?' }]]);
    expect(copy?.checkpoint.channel_values).toEqual({ n: 0, kept: 'always' });
  });

  it('copies nothing from a thread without state', async () => {
    await copyState({ client, db }, { tenant, from: 'nobody', to: 'nothing' });
    expect(await saver.getTuple(configOf('nothing'))).toBeUndefined();
  });
});

describe('pruning a thread with keepLatest', () => {
  const documents = (threadId: string) =>
    db
      .collection('checkpoints')
      .countDocuments({ group: { $gte: `${tenant}/${threadId}/`, $lt: `${tenant}/${threadId}0` } });

  it('keeps the newest checkpoint, its pending writes, and its values even if older checkpoints wrote them', async () => {
    let id = await commit('long', 0);
    for (let step = 1; step < 10; step += 1) {
      await saver.putWrites(configOf('long', id), [['n', step]], `task-${step}`);
      id = await commit('long', step, id);
    }
    await saver.putWrites(configOf('long', id), [['n', 10]], 'task-10');
    const before = await saver.getTuple(configOf('long'));
    await keepLatest({ client, db, tenant }, 'long');
    expect(await saver.getTuple(configOf('long'))).toEqual(before);
    expect(await history('long')).toHaveLength(1);
    // The four documents are the checkpoint, the values of its two channels, and its pending write.
    expect(await documents('long')).toBe(4);
    await keepLatest({ client, db, tenant }, 'long');
    expect(await saver.getTuple(configOf('long'))).toEqual(before);
  });

  it('keeps the older checkpoints from which LangGraph builds the value of a delta channel', async () => {
    let id = await commit('delta', 0);
    for (let step = 1; step < 6; step += 1) {
      await saver.putWrites(configOf('delta', id), [['messages', `m${step}`]], `task-${step}`);
      if (step === 2) {
        const version = '000000000001.aaaaaaaaaaaa';
        id = uuid6(step);
        const whole = { ...emptyCheckpoint(), id, channel_values: { messages: ['m1', 'm2'] } };
        const metadata = { source: 'loop', step, parents: {} } as const;
        const parent = (await saver.getTuple(configOf('delta')))?.checkpoint.id;
        await saver.put(configOf('delta', parent), { ...whole, channel_versions: { messages: version } }, metadata, {
          messages: version,
        });
      } else id = await commit('delta', step, id, { counters_since_delta_snapshot: { messages: [step, step] } });
    }
    const options = { config: configOf('delta', id), channels: ['messages'] };
    const before = await saver.getDeltaChannelHistory(options);
    expect(before['messages']?.seed).toEqual(['m1', 'm2']);
    await keepLatest({ client, db, tenant }, 'delta');
    expect(await saver.getDeltaChannelHistory(options)).toEqual(before);
    expect((await history('delta')).map(({ metadata }) => metadata?.step)).toEqual([5, 4, 3, 2]);
  });
});

describe('thinning the history of a thread by a policy', () => {
  const steps = async (threadId: string) => (await history(threadId)).map(({ metadata }) => metadata?.step);

  it('keeps the newest checkpoints and the last one of each run, and removes checkpoints that are too old', async () => {
    let id: string | undefined;
    for (let step = 0; step < 9; step += 1) id = await commit('thin', step, id, { run_id: `r${Math.floor(step / 3)}` });
    const before = await history('thin');
    const options = { client, db, tenant };
    await thinState(options, 'thin', { maxAgeMs: 3_600_000 });
    expect(await steps('thin')).toEqual([8, 7, 6, 5, 4, 3, 2, 1, 0]);
    await thinState(options, 'thin', { last: 2, lastOfRuns: true });
    expect(await history('thin')).toEqual([before[0], before[1], before[3], before[6]]);
    await thinState(options, 'thin', { last: 3 });
    expect(await steps('thin')).toEqual([8, 7, 5]);
    await thinState(options, 'thin', { maxAgeMs: 1_000 }, { now: new Date(Date.now() + 60_000) });
    expect(await history('thin')).toEqual([before[0]]);
  });

  it('keeps the subgraph checkpoints that belong to a kept root checkpoint, and removes the others', async () => {
    const first = await commit('nested', 0);
    const second = await commit('nested', 1, first);
    await commit('nested', 2, second);
    const inner = { configurable: { thread_id: 'nested', checkpoint_ns: 'node:task' } };
    for (const root of [first, second]) {
      const metadata = { source: 'loop', step: 0, parents: { '': root } } as const;
      await saver.put(inner, { ...emptyCheckpoint(), id: uuid6(0), channel_values: {} }, metadata, {});
    }
    await thinState({ client, db, tenant }, 'nested', { last: 2 });
    const parents: unknown[] = [];
    for await (const { metadata } of saver.list(inner)) parents.push(metadata?.parents['']);
    expect(parents).toEqual([second]);
  });
});
