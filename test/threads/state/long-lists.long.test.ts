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

const configOf = (thread_id: string, checkpoint_id?: string) => ({
  configurable: { thread_id, checkpoint_ns: '', ...(checkpoint_id && { checkpoint_id }) },
});
const conversation = (from: number, to: number): BaseMessage[] =>
  Array.from({ length: to - from }, (_, index) => {
    const fields = { id: `m${from + index}`, content: `message ${from + index} ${'.'.repeat(500)}` };
    return index % 2 === 0 ? new HumanMessage(fields) : new AIMessage(fields);
  });

/**
 * Commits a checkpoint with this value of channel `messages`, as a child of `parent`. Returns the
 * checkpoint id.
 */
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
  await saver.put(configOf(threadId, parent), { ...checkpoint, channel_values: { messages: value } }, metadata, {
    messages,
  });
  return id;
}

async function load(saver: BaseCheckpointSaver<string>, threadId: string): Promise<unknown[]> {
  return (await saver.getTuple(configOf(threadId)))?.checkpoint.channel_values['messages'] as unknown[];
}

const openEditor = () => new MongoSaver({ client, db, tenant, exclusive: true });
const openReader = () => new MongoSaver({ client, db, tenant });

async function storedBytes(threadId: string): Promise<number> {
  let sum = 0;
  const group = { $gte: `${tenant}/${threadId}/`, $lt: `${tenant}/${threadId}0` };
  for await (const document of db.collection<StateDocument>('checkpoints').find({ group })) {
    const names = JSON.stringify([document.list ?? [], document._id, document.group]);
    sum += bytes(document).length + names.length;
  }
  return sum;
}

/**
 * Creates a thread whose list has `length` messages, and applies the edits one after the other.
 * Returns how many stored bytes each edit has added.
 */
async function bytesAdded(
  threadId: string,
  length: number,
  edits: ((list: unknown[]) => unknown[])[],
): Promise<number[]> {
  await commit(openEditor(), threadId, conversation(0, length));
  const added: number[] = [];
  for (const change of edits) {
    const before = await storedBytes(threadId);
    const saver = openEditor();
    const list = change(await load(saver, threadId));
    await commit(saver, threadId, list);
    expect(JSON.stringify(await load(openReader(), threadId))).toBe(JSON.stringify(list));
    added.push((await storedBytes(threadId)) - before);
  }
  return added;
}

describe('a long list', () => {
  it('needs about as many new bytes per run with 4,000 messages as with 200', async () => {
    const turns = Array.from({ length: 4 }, (_, turn) => (list: unknown[]) => [
      ...list,
      ...conversation(10_000 + 2 * turn, 10_002 + 2 * turn),
    ]);
    const sum = (sizes: number[]) => sizes.reduce((total, size) => total + size, 0);
    const short = sum(await bytesAdded('short', 200, turns));
    const long = sum(await bytesAdded('long', 4_000, turns));
    // The database stores a long list as a tree of chunks. The leaves are chunks with about 16 KB
    // of elements. The root contains ids of chunks, and the last elements of the list, which do not
    // fill a leaf yet. If two messages are added at the end, mainly the root is stored anew.
    expect(short).toBeLessThan(4 * 20_000);
    expect(long).toBeLessThan(4 * 22_000);
  }, 90_000);

  it('stores only the changed chunks after an edit at its start, in its middle or at its end', async () => {
    const added = await bytesAdded('edited', 3_000, [
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
  }, 90_000);

  it('is stored completely, even if an earlier commit of another version of the list has failed', async () => {
    const saver = openEditor();
    const list = conversation(0, 200);
    await commit(saver, 'failed', list);
    await commit(openEditor(), 'failed', list); // raises the revision
    await expect(commit(saver, 'failed', [...list, ...conversation(200, 400)])).rejects.toMatchObject({
      code: 'fence_lost',
    });
    const next = openEditor();
    const more = [...(await load(next, 'failed')), ...conversation(400, 402)];
    await commit(next, 'failed', more);
    expect(await load(openReader(), 'failed')).toEqual(more);
  });

  it('is read back with two separate objects if it contains the same object twice', async () => {
    const list = conversation(0, 100);
    const saver = openEditor();
    await commit(saver, 'twice', list);
    await commit(saver, 'twice', [...list, ...list]);
    const read = await load(openReader(), 'twice');
    expect(read).toHaveLength(200);
    expect(new Set(read).size).toBe(200);
  });

  it('gets a key when a saver commits or reads it, and `valueText` returns its JSON text for this key', async () => {
    const saver = openEditor();
    const list = conversation(0, 100);
    expect(saver.blobOf(list)).toBeUndefined();
    await commit(saver, 'held', list);
    const key = saver.blobOf(list) ?? '';
    const texts = new ValueTexts((value) => JSON.stringify(value));
    const written = JSON.stringify(list);
    expect(await openReader().valueText('held', key, texts)).toBe(written);
    // The second read takes the texts of the list's leaves from the cache in `texts`.
    expect(await openReader().valueText('held', key, texts)).toBe(written);
    const more = [...list, ...conversation(100, 10)];
    await commit(saver, 'held', more);
    expect(await openReader().valueText('held', saver.blobOf(more) ?? '', texts)).toBe(JSON.stringify(more));
    const uncached = new ValueTexts((value) => JSON.stringify(value), 0);
    expect(await openReader().valueText('held', key, uncached)).toBe(written);
    const reader = openReader();
    expect(reader.blobOf(await load(reader, 'held'))).toBe(saver.blobOf(more));
    await expect(openReader().valueText('short', key, texts)).rejects.toMatchObject({ code: 'not_found' });
    await expect(openReader().valueText('held', `${key}0`, texts)).rejects.toMatchObject({ code: 'not_found' });
  });
});

describe('a worker that caches the state of a thread', () => {
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
    // The first `insert` stores the chunks of the list before the transaction begins, so that
    // events can refer to the list before it is committed.
    expect(commands.splice(0)).toEqual(['insert', 'insert', 'findAndModify', 'commitTransaction']);
    saver.remember();
    return list;
  }

  it('reads the state from the cache and not from the database, and decodes only the end of a long list again', async () => {
    await step('kept', () => conversation(0, 300));
    const second = await step('kept', (list) => [...list, ...conversation(300, 302)]);
    const third = await step('kept', (list) => [...list, ...conversation(302, 304)]);
    const fourth = await step('kept', (list) => [...list]);
    // The cache has the decoded leaves (chunks of about 16 KB), so their elements are the same
    // objects again. The last elements, which do not fill a leaf yet, are decoded again.
    expect(third.slice(0, 250).every((message, index) => message === second[index])).toBe(true);
    expect(third[301]).not.toBe(second[301]);
    expect(fourth).toEqual(await load(openReader(), 'kept'));
  });

  it('gives the next step the stored messages, even if the message objects of a step were changed after its commit', async () => {
    await step('mutated', () => conversation(0, 300));
    const list = await step('mutated', (all) => [...all]);
    (list[3] as BaseMessage).content = 'not stored';
    (list[200] as BaseMessage).additional_kwargs['seen'] = true;
    expect(await step('mutated', (all) => [...all])).toEqual(conversation(0, 300));
  });

  it('stores a change of an older message if a step changes the message in place and then commits', async () => {
    await step('changed', () => conversation(0, 300));
    await step('changed', (all) => {
      (all[7] as BaseMessage).content = 'changed in place';
      return [...all];
    });
    const expected = conversation(0, 300);
    (expected[7] as BaseMessage).content = 'changed in place';
    const read = (await load(openReader(), 'changed')) as BaseMessage[];
    expect(read.map(({ content }) => content)).toEqual(expected.map(({ content }) => content));
    expect(((await step('changed', (all) => all)) as BaseMessage[])[7]?.content).toBe('changed in place');
  });
});
