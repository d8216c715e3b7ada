import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { HumanMessage } from '@langchain/core/messages';
import { MongoDBSaver } from '@langchain/langgraph-checkpoint-mongodb';
import { Client } from '@langchain/langgraph-sdk';
import { Binary, MongoClient } from 'mongodb';
import type { LoadedGraph } from '../../agents/index.js';
import { RunningCommand, colloquy } from '../support/colloquy.js';
import { ServiceProcesses } from '../support/house.js';
// @ts-expect-error the fixture project is plain JavaScript and has no types
import { nested, talk } from '../fixtures/projects/imported/graphs.js';

interface State {
  messages: { id: string; content: string }[];
}

/** Number of threads to import in the test that kills an import. */
const MANY = 30;

const project = resolve('test/fixtures/projects/imported/langgraph.json');

describe('colloquy import-checkpoints', () => {
  const house = new ServiceProcesses(project);
  const source = `import_source_${process.pid}`;
  const mongo = new MongoClient(house.mongodbUri);
  const ids = {
    talk: randomUUID(),
    asked: randomUUID(),
    forked: randomUUID(),
    nested: randomUUID(),
    torn: randomUUID(),
  };
  const saverOn = (checkpointCollectionName: string, checkpointWritesCollectionName: string) =>
    new MongoDBSaver({
      client: mongo as never,
      dbName: source,
      checkpointCollectionName,
      checkpointWritesCollectionName,
    });
  const saver = saverOn('checkpoints', 'checkpoint_writes');
  let client: Client;

  const withSaver = (graph: LoadedGraph, checkpointer = saver): LoadedGraph => {
    const own = graph.withConfig({});
    own.checkpointer = checkpointer as never;
    return own;
  };
  const configOf = (threadId: string) => ({ configurable: { thread_id: threadId } });
  const human = (content: string) => ({ messages: [new HumanMessage({ id: `h ${content}`, content })] });

  const command = (...flags: string[]) =>
    colloquy([
      'import-checkpoints',
      ...['--mongodb-uri', house.mongodbUri, '--database', house.name, '--config', project],
      ...['--source-database', source, ...flags],
    ]);

  beforeAll(async () => {
    await mongo.connect();
    await saver.setup();
    const graph = withSaver(talk as LoadedGraph);
    for (const text of ['one', 'two', 'three']) await graph.invoke(human(text), configOf(ids.talk));
    await graph.invoke(human('shall I?'), configOf(ids.asked));
    await graph.invoke(human('one'), configOf(ids.forked));
    const base = await graph.getState(configOf(ids.forked));
    await graph.invoke(human('left'), configOf(ids.forked));
    // This run forks the thread at `base`. The channels of both branches have the same version
    // numbers, although their values differ.
    await graph.invoke(human('right'), base.config);
    const inner = withSaver(nested as LoadedGraph, saverOn('nested_checkpoints', 'nested_writes'));
    await inner.invoke(human('one'), configOf(ids.nested));
    await inner.invoke(human('now?'), configOf(ids.nested));
    await graph.invoke(human('hi'), configOf(ids.torn));
    await graph.invoke(human('by name'), configOf('user-7'));
    const many = withSaver(talk as LoadedGraph, saverOn('many', 'many_writes'));
    for (let n = 0; n < MANY; n += 1) await many.invoke(human('hi'), configOf(randomUUID()));
    const torn = { thread_id: ids.torn };
    await mongo
      .db(source)
      .collection('checkpoints')
      .updateOne(torn, { $set: { checkpoint: new Binary(Buffer.from('{')) } });
    const [, api] = await Promise.all([house.worker(), house.api()]);
    client = new Client({ apiUrl: api.url, apiKey: null });
  }, 60_000);
  afterAll(async () => {
    await mongo.db(source).dropDatabase();
    await mongo.close();
    await house.stop();
  });

  const contents = ({ messages }: State) => messages.map(({ content }) => content);
  const resume = (threadId: string, graph: string, value: string) =>
    client.runs.wait(threadId, graph, { command: { resume: value } }) as Promise<unknown> as Promise<State>;

  it('imports every readable thread, names each unreadable one, and changes nothing when it runs again', async () => {
    const documents = () => mongo.db(house.name).collection('checkpoints');
    const first = await command('--assistant', 'talk');
    expect(first.stderr).toMatch(new RegExp(`^refused   ${ids.torn}: checkpoint \\S+ cannot be read: `));
    expect(first.stdout).toMatch(/^imported  user-7 as [0-9a-f-]{36}: 3 checkpoints, \d+ pending writes$/m);
    expect(first.stdout).toMatch(
      /^imported 4 threads with \d+ checkpoints and \d+ pending writes; 0 already existed; 1 refused$/m,
    );
    expect(first.code).toBe(1);
    const threads = mongo.db(house.name).collection('threads');
    const before = [
      await documents().find().sort({ _id: 1 }).toArray(),
      await threads.find().sort({ _id: 1 }).toArray(),
    ];
    const second = await command('--assistant', 'talk');
    expect(second.stdout).toBe(
      'imported 0 threads with 0 checkpoints and 0 pending writes; 4 already existed; 1 refused\n',
    );
    const after = [
      await documents().find().sort({ _id: 1 }).toArray(),
      await threads.find().sort({ _id: 1 }).toArray(),
    ];
    expect(after).toEqual(before);
    expect(JSON.stringify(after)).not.toContain(ids.torn);
  }, 60_000);

  it('keeps the history of a conversation, which can then be continued', async () => {
    const found = await client.threads.search({ metadata: { graph_id: 'talk' }, ids: [ids.talk] });
    expect(found).toMatchObject([{ thread_id: ids.talk, status: 'idle' }]);
    const sourceHistory: unknown[] = [];
    for await (const snapshot of withSaver(talk as LoadedGraph).getStateHistory(configOf(ids.talk))) {
      const { values, next, config, createdAt } = snapshot;
      sourceHistory.push([config.configurable?.['checkpoint_id'], next, createdAt, contents((values as State) ?? {})]);
    }
    const snapshots = await client.threads.getHistory<State>(ids.talk, { limit: 100 });
    const importedHistory = snapshots.map(({ checkpoint, next, created_at, values }) => [
      checkpoint.checkpoint_id,
      next,
      created_at,
      contents(values),
    ]);
    expect(importedHistory).toEqual(sourceHistory);
    expect(importedHistory).toHaveLength(9);
    const values = (await client.runs.wait(ids.talk, 'talk', {
      input: { messages: [{ role: 'user', content: 'four' }] },
    })) as unknown;
    expect(contents(values as State)).toEqual([
      'one',
      'heard one',
      'two',
      'heard two',
      'three',
      'heard three',
      'four',
      'heard four',
    ]);
    expect(await client.threads.search({ metadata: { source_thread_id: 'user-7' } })).toHaveLength(1);
  });

  it('keeps an open interrupt, which can then be answered', async () => {
    const waiting = await client.threads.get(ids.asked);
    expect(waiting.status).toBe('interrupted');
    expect(Object.values(waiting.interrupts).flat()).toMatchObject([{ value: { question: 'shall I?' } }]);
    expect(contents(await resume(ids.asked, 'talk', 'yes'))).toEqual(['shall I?', 'heard shall I? and yes']);
  });

  it('keeps both branches of a fork, and the next run continues the newer branch', async () => {
    const history = await client.threads.getHistory<State>(ids.forked, { limit: 100 });
    const ends = history.filter(({ next }) => next.length === 0).map(({ values }) => contents(values));
    expect(ends).toEqual([
      ['one', 'heard one', 'right', 'heard right'],
      ['one', 'heard one', 'left', 'heard left'],
      ['one', 'heard one'],
    ]);
    const input = { messages: [{ role: 'user', content: 'on' }] };
    const values = (await client.runs.wait(ids.forked, 'talk', { input })) as unknown as State;
    expect(contents(values)).toEqual(['one', 'heard one', 'right', 'heard right', 'on', 'heard on']);
  });

  it('imports a thread whose subgraph waits for an answer, from collections whose names are given as flags', async () => {
    const names = ['--source-checkpoints', 'nested_checkpoints', '--source-writes', 'nested_writes'];
    const { stdout, code } = await command('--assistant', 'nested', ...names);
    expect([code, stdout]).toEqual([0, expect.stringContaining('imported 1 threads')]);
    const threadId = ids.nested;
    const state = await client.threads.getState<State>(threadId, undefined, { subgraphs: true });
    expect(contents(state.values)).toEqual(['one', 'heard one', 'now?']);
    const inner = state.tasks[0]?.state?.values as unknown as State;
    expect(contents(inner)).toEqual(['one', 'heard one', 'now?']);
    const answered = await resume(threadId, 'nested', 'never');
    expect(contents(answered)).toEqual(['one', 'heard one', 'now?', 'heard now? and never']);
  }, 60_000);

  it('can be killed and repeated, with the same result as one uninterrupted import', async () => {
    const other = `${house.name}-killed`;
    const checkpointsOf = (name: string) => mongo.db(name).collection('checkpoints');
    const flags = ['import-checkpoints', '--mongodb-uri', house.mongodbUri, '--database', other, '--config', project];
    const options = [...flags, '--source-database', source, '--source-checkpoints', 'many', '--assistant', 'talk'];
    const killed = new RunningCommand(options);
    await killed.printed(/^imported/m);
    killed.child.kill('SIGKILL');
    await killed.finished;
    const threads = mongo.db(other).collection('threads');
    const done = await threads.countDocuments({ deletedAt: { $exists: false } });
    const again = await colloquy(options);
    expect([again.code, again.stdout]).toEqual([
      0,
      expect.stringContaining(`imported ${MANY - done} threads`) as unknown,
    ]);
    expect(again.stdout).toContain(`; ${done} already existed; 0 refused`);
    expect(await threads.countDocuments({ deletedAt: { $exists: false } })).toBe(MANY);
    const checkpointIds = async (name: string) => {
      const keys = await checkpointsOf(name)
        .find({}, { projection: { _id: 1 } })
        .toArray();
      return keys.map(({ _id }) => String(_id)).sort();
    };
    const killedKeys = await checkpointIds(other);
    await mongo.db(other).dropDatabase();
    await colloquy(options);
    expect(await checkpointIds(other)).toEqual(killedKeys);
    await mongo.db(other).dropDatabase();
  }, 120_000);

  it('reports a missing flag, a collection without checkpoints, and an unknown assistant', async () => {
    const missing = await colloquy(['import-checkpoints', '--assistant', 'talk']);
    expect([missing.code, missing.stderr]).toEqual([
      2,
      'colloquy: --source-database is missing; see colloquy import-checkpoints --help\n',
    ]);
    const empty = await command('--assistant', 'talk', '--source-checkpoints', 'nothing');
    expect([empty.code, empty.stderr]).toEqual([
      1,
      `colloquy: collection ${source}.nothing has no checkpoints of LangGraph’s saver\n`,
    ]);
    const unknown = await command('--assistant', 'nobody');
    expect([unknown.code, unknown.stderr]).toEqual([1, expect.stringContaining('nobody')]);
  }, 60_000);
});
