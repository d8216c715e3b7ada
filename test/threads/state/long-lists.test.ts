import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { AIMessage, HumanMessage, type BaseMessage } from '@langchain/core/messages';
import { emptyCheckpoint, uuid6, type BaseCheckpointSaver } from '@langchain/langgraph-checkpoint';
import { MongoClient } from 'mongodb';
import { encodeFence } from '../../../protocol/index.js';
import {
  MongoHeads,
  MongoSaver,
  StateCache,
  StepSaver,
  ValueTexts,
  ensureStateIndexes,
} from '../../../threads/index.js';
import { bytes, type StateDocument } from '../../../threads/state/state-documents.js';

const client = new MongoClient(process.env.COLLOQUY_TEST_MONGODB_URI ?? '', { monitorCommands: true });
const db = client.db(`test_long_lists_${process.pid}`);
const tenant = 'acme';
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

const at = (thread_id: string, checkpoint_id?: string) => ({
  configurable: { thread_id, checkpoint_ns: '', ...(checkpoint_id && { checkpoint_id }) },
});
const talk = (from: number, to: number): BaseMessage[] =>
  Array.from({ length: to - from }, (_, index) => {
    const fields = { id: `m${from + index}`, content: `message ${from + index} ${'.'.repeat(500)}` };
    return index % 2 === 0 ? new HumanMessage(fields) : new AIMessage(fields);
  });

/** Commits a value of channel `messages` behind a checkpoint. Answers the new one's id. */
async function commit(
  saver: BaseCheckpointSaver<string>,
  threadId: string,
  value: unknown,
  parent?: string,
): Promise<string> {
  const id = uuid6(0);
  const messages = saver.getNextVersion(undefined);
  const checkpoint = { ...emptyCheckpoint(), id, channel_values: { messages }, channel_versions: { messages } };
  const metadata = { source: 'loop', step: 1, parents: {} } as const;
  await saver.put(at(threadId, parent), { ...checkpoint, channel_values: { messages: value } }, metadata, { messages });
  return id;
}

async function load(saver: BaseCheckpointSaver<string>, threadId: string): Promise<unknown[]> {
  return (await saver.getTuple(at(threadId)))?.checkpoint.channel_values['messages'] as unknown[];
}

const edit = () => new MongoSaver({ client, db, tenant, exclusive: true });
const plain = () => new MongoSaver({ client, db, tenant });

async function storedBytes(threadId: string): Promise<number> {
  let sum = 0;
  const group = { $gte: `${tenant}/${threadId}/`, $lt: `${tenant}/${threadId}0` };
  for await (const document of db.collection<StateDocument>('checkpoints').find({ group })) {
    const names = JSON.stringify([document.list ?? [], document._id, document.group]);
    sum += bytes(document).length + names.length;
  }
  return sum;
}

/** Bytes that each of some edits adds to a thread whose list has so many messages. */
async function costs(threadId: string, length: number, edits: ((list: unknown[]) => unknown[])[]): Promise<number[]> {
  await commit(edit(), threadId, talk(0, length));
  const added: number[] = [];
  for (const change of edits) {
    const before = await storedBytes(threadId);
    const saver = edit();
    const list = change(await load(saver, threadId));
    await commit(saver, threadId, list);
    expect(JSON.stringify(await load(plain(), threadId))).toBe(JSON.stringify(list));
    added.push((await storedBytes(threadId)) - before);
  }
  return added;
}

describe('a long list', () => {
  it('costs a turn as much when it has 4,000 messages as when it has 200', async () => {
    const turns = Array.from({ length: 4 }, (_, turn) => (list: unknown[]) => [
      ...list,
      ...talk(10_000 + 2 * turn, 10_002 + 2 * turn),
    ]);
    const sum = (all: number[]) => all.reduce((total, one) => total + one, 0);
    const short = sum(await costs('short', 200, turns));
    const long = sum(await costs('long', 4_000, turns));
    // What is written with every version is less than one leaf, and the names of the root.
    expect(short).toBeLessThan(4 * 20_000);
    expect(long).toBeLessThan(4 * 22_000);
  }, 90_000);

  it('costs what an edit in its middle changed', async () => {
    const added = await costs('edited', 3_000, [
      (list) => list.with(1_500, new AIMessage({ id: 'm1500', content: 'another' })),
      (list) => list.toSpliced(700, 1),
      (list) => list.slice(900),
      (list) => [new HumanMessage({ id: 'first', content: 'x' }), ...list],
      (list) => list.slice(0, 1_000),
      (list) => {
        (list[500] as BaseMessage).content = 'changed in place';
        return [...list];
      },
    ]);
    expect(Math.max(...added)).toBeLessThan(45_000);
  });

  it('shares nothing with a version that was not stored', async () => {
    const saver = edit();
    const list = talk(0, 200);
    await commit(saver, 'failed', list);
    await commit(edit(), 'failed', list); // moves the revision
    await expect(commit(saver, 'failed', [...list, ...talk(200, 400)])).rejects.toMatchObject({ code: 'fence_lost' });
    const next = edit();
    const more = [...(await load(next, 'failed')), ...talk(400, 402)];
    await commit(next, 'failed', more);
    expect(await load(plain(), 'failed')).toEqual(more);
  });

  it('gives every reader objects of its own for what stands in it twice', async () => {
    const list = talk(0, 100);
    const saver = edit();
    await commit(saver, 'twice', list);
    await commit(saver, 'twice', [...list, ...list]);
    const read = await load(plain(), 'twice');
    expect(read).toHaveLength(200);
    expect(new Set(read).size).toBe(200);
  });

  it('tells which document holds a value that was stored or read, and reads that one', async () => {
    const saver = edit();
    const list = talk(0, 100);
    expect(saver.blobOf(list)).toBeUndefined();
    await commit(saver, 'held', list);
    const key = saver.blobOf(list) ?? '';
    const texts = new ValueTexts((value) => JSON.stringify(value));
    const written = JSON.stringify(list);
    expect(await plain().valueText('held', key, texts)).toBe(written);
    // A second time little is read.
    expect(await plain().valueText('held', key, texts)).toBe(written);
    const more = [...list, ...talk(100, 10)];
    await commit(saver, 'held', more);
    expect(await plain().valueText('held', saver.blobOf(more) ?? '', texts)).toBe(JSON.stringify(more));
    const none = new ValueTexts((value) => JSON.stringify(value), 0);
    expect(await plain().valueText('held', key, none)).toBe(written);
    const reader = plain();
    expect(reader.blobOf(await load(reader, 'held'))).toBe(saver.blobOf(more));
    await expect(plain().valueText('short', key, texts)).rejects.toMatchObject({ code: 'not_found' });
    await expect(plain().valueText('held', `${key}0`, texts)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('a worker that keeps the state of a thread', () => {
  const cache = new StateCache();
  let run = 0;

  async function step(threadId: string, change: (list: unknown[]) => unknown[]): Promise<unknown[]> {
    const head = await new MongoHeads(db).readHead(tenant, threadId);
    const fence = encodeFence({ run: (run += 1), step: 1, attempt: 1 });
    const hooks = { beforeCommit: async () => 0, onCommit: () => undefined, hasEntry: () => false };
    const saver = new StepSaver({ client, db, tenant, threadId, runId: 'r', fence, head, cache, tail: 0, ...hooks });
    commands.length = 0;
    const list = (await load(saver, threadId)) ?? [];
    const read = commands.splice(0);
    expect(read).toEqual([]);
    await commit(saver, threadId, change(list), saver.head.heads['']?.checkpointId);
    await saver.flush();
    // The chunks, for events to refer to, beside the transaction.
    expect(commands.splice(0)).toEqual(['insert', 'insert', 'findAndModify', 'commitTransaction']);
    saver.remember();
    return list;
  }

  it('reads nothing and decodes only what is new, yet sees what is stored', async () => {
    await step('kept', () => talk(0, 300));
    const second = await step('kept', (list) => [...list, ...talk(300, 302)]);
    const third = await step('kept', (list) => [...list, ...talk(302, 304)]);
    const fourth = await step('kept', (list) => [...list]);
    // The same objects, but for the end of the list.
    expect(third.slice(0, 250).every((message, index) => message === second[index])).toBe(true);
    expect(third[301]).not.toBe(second[301]);
    expect(fourth).toEqual(await load(plain(), 'kept'));
  });

  it('hands out no message that was changed without being stored', async () => {
    await step('mutated', () => talk(0, 300));
    const list = await step('mutated', (all) => [...all]);
    (list[3] as BaseMessage).content = 'nobody stored this';
    (list[200] as BaseMessage).additional_kwargs['seen'] = true;
    expect(await step('mutated', (all) => [...all])).toEqual(talk(0, 300));
  });

  it('stores a message that was changed before a commit', async () => {
    await step('changed', () => talk(0, 300));
    await step('changed', (all) => {
      (all[7] as BaseMessage).content = 'changed in place';
      return [...all];
    });
    const expected = talk(0, 300);
    (expected[7] as BaseMessage).content = 'changed in place';
    const read = (await load(plain(), 'changed')) as BaseMessage[];
    expect(read.map(({ content }) => content)).toEqual(expected.map(({ content }) => content));
    expect(((await step('changed', (all) => all)) as BaseMessage[])[7]?.content).toBe('changed in place');
  });
});
