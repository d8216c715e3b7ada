import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { resolve } from 'node:path';
import { Client } from '@langchain/langgraph-sdk';
import { MongoClient } from 'mongodb';
import { ServiceProcesses } from '../support/house.js';

/** Number of ticks, of 20 ms each, in the only step of a `ticker` run. */
const TICKS = 150;

interface Talk {
  log: string[];
}

/**
 * Worker and API run as separate processes. The graph `talk` has the nodes `hear`, `ask` and
 * `answer`. Its state has a list of lines, `log`. `ask` raises an interrupt if one of these lines
 * ends with a question mark.
 */
describe('the state of threads', () => {
  const house = new ServiceProcesses(resolve('test/fixtures/projects/talk/langgraph.json'));
  let client: Client<Talk>;
  let mongo: MongoClient;

  beforeAll(async () => {
    const [, api] = await Promise.all([house.worker(), house.api()]);
    client = new Client<Talk>({ apiUrl: api.url, apiKey: null });
    mongo = await MongoClient.connect(house.mongodbUri);
  }, 60_000);
  afterAll(async () => {
    await mongo.close();
    await house.stop();
  });

  async function said(...lines: string[]): Promise<string> {
    const { thread_id } = await client.threads.create();
    for (const line of lines) await client.runs.wait(thread_id, 'talk', { input: { log: [line] } });
    return thread_id;
  }

  const logOf = async (threadId: string) => (await client.threads.getState(threadId)).values.log;

  function storedOf(threadId: string): Promise<number> {
    const group = { $gte: `default/${threadId}/`, $lt: `default/${threadId}0` };
    return mongo.db(house.name).collection('checkpoints').countDocuments({ group });
  }

  describe('supersteps in the request for a new thread', () => {
    const supersteps = [
      { updates: [{ values: { log: ['hi'] }, asNode: '__start__' }] },
      { updates: [{ values: undefined, command: { update: { log: ['heard'] } }, asNode: 'hear' }] },
    ];

    it('create a thread whose runs continue from the state after the supersteps', async () => {
      const made = await client.threads.create({ graphId: 'talk', supersteps, metadata: { topic: 'x' } });
      expect(made).toMatchObject({
        metadata: { graph_id: 'talk', topic: 'x' },
        status: 'interrupted',
        values: { log: ['hi', 'heard'] },
      });
      const { thread_id } = made;
      const history = await client.threads.getHistory(thread_id);
      expect(history.map(({ next, values }) => [next, values.log])).toEqual([
        [['ask'], ['hi', 'heard']],
        [['hear'], ['hi']],
      ]);
      expect(await client.runs.wait(thread_id, 'talk', { input: null })).toEqual({ log: ['hi', 'heard', 'answered'] });
    });

    it('are applied once if the request is repeated', async () => {
      const threadId = randomUUID();
      const payload = { threadId, graphId: 'talk', supersteps, ifExists: 'do_nothing' } as const;
      await client.threads.create(payload);
      await client.threads.create(payload);
      expect(await logOf(threadId)).toEqual(['hi', 'heard']);
    });

    it('leave no thread if the graph refuses them', async () => {
      const threadId = randomUUID();
      const wrong = [...supersteps, { updates: [{ values: {}, asNode: 'nobody' }] }];
      await expect(client.threads.create({ threadId, graphId: 'talk', supersteps: wrong })).rejects.toThrow(
        /HTTP 422: .*nobody/,
      );
      await expect(client.threads.get(threadId)).rejects.toThrow('HTTP 404');
      await client.threads.create({ threadId, graphId: 'talk', supersteps });
      expect(await logOf(threadId)).toEqual(['hi', 'heard']);
    });
  });

  describe('the routes for the state of a thread', () => {
    it('can close an interrupt: after an edit as node __end__, the interrupt is gone and the thread is idle', async () => {
      const threadId = await said('shall I?');
      expect((await client.threads.get(threadId)).status).toBe('interrupted');
      await client.threads.updateState(threadId, { values: null as never, asNode: '__end__' });
      const thread = await client.threads.get(threadId);
      expect([thread.status, thread.interrupts]).toEqual(['idle', {}]);
      expect((await client.threads.getState(threadId)).next).toEqual([]);
      // The state still has the line with the question mark, so the next run raises a new
      // interrupt.
      await client.runs.wait(threadId, 'talk', { input: { log: ['hi'] } });
      expect((await client.threads.get(threadId)).status).toBe('interrupted');
    });

    it('can fork a thread at any checkpoint and keep both branches', async () => {
      const threadId = await said('one', 'two');
      const history = await client.threads.getHistory(threadId, { limit: 100 });
      const afterOne = history.find(({ next, values }) => next.length === 0 && values.log.length === 3);
      const forked = await client.threads.updateState(threadId, {
        values: { log: ['instead'] },
        asNode: 'hear',
        checkpoint: afterOne?.checkpoint as never,
      });
      expect(await logOf(threadId)).toEqual(['one', 'heard', 'answered', 'instead']);
      expect((await client.threads.get(threadId)).status).toBe('interrupted');
      expect(await client.runs.wait(threadId, 'talk', { input: null })).toMatchObject({
        log: ['one', 'heard', 'answered', 'instead', 'answered'],
      });
      const all = await client.threads.getHistory(threadId, { limit: 100 });
      const fork = all.find(({ checkpoint }) => checkpoint.checkpoint_id === forked.configurable?.['checkpoint_id']);
      expect(fork?.parent_checkpoint?.checkpoint_id).toBe(afterOne?.checkpoint.checkpoint_id);
      expect(all.filter(({ values }) => values.log.includes('two'))).not.toEqual([]);
      const old = await client.threads.getState(threadId, history[0]?.checkpoint.checkpoint_id ?? '');
      expect(old.values.log).toEqual(['one', 'heard', 'answered', 'two', 'heard', 'answered']);
    });

    it('can merge metadata into the metadata of the thread', async () => {
      const threadId = await said('hi');
      expect(await client.threads.patchState(threadId, { reviewed: true })).toBeUndefined();
      expect((await client.threads.get(threadId)).metadata).toMatchObject({ reviewed: true, graph_id: 'talk' });
      await expect(client.threads.patchState(randomUUID(), {})).rejects.toThrow('HTTP 404');
    });

    it('return the history by GET and POST: before a checkpoint, filtered by metadata, or with selected fields only', async () => {
      const threadId = await said('one', 'two');
      const all = await client.threads.getHistory(threadId, { limit: 100 });
      const before = { configurable: all[2]?.checkpoint } as never;
      const part = await client.threads.getHistory(threadId, { limit: 2, before, select: ['values.log'] });
      expect(part).toEqual(all.slice(3, 5).map(({ values }) => ({ values: { log: values.log } })));
      const inputs = await client.threads.getHistory(threadId, { metadata: { source: 'input' } });
      expect(inputs.map(({ metadata }) => metadata?.['source'])).toEqual(['input', 'input']);
      const one = await client.threads.getHistory(threadId, { checkpoint: all[4]?.checkpoint as never });
      expect(one).toEqual([all[4]]);
      const query = new URLSearchParams({
        limit: '1',
        before: all[0]?.checkpoint.checkpoint_id ?? '',
        metadata: '{"source":"loop"}',
        select: 'next,values.log',
      });
      const { apiUrl } = client.threads as unknown as { apiUrl: string };
      const response = await fetch(`${apiUrl}/threads/${threadId}/history?${query.toString()}`);
      expect(await response.json()).toEqual([{ next: all[1]?.next, values: { log: all[1]?.values.log } }]);
    });
  });

  describe('a copy of a thread', () => {
    it('has the state, history and interrupt of the original thread, and is independent of the original', async () => {
      const threadId = await said('hi', 'shall I?');
      await client.threads.update(threadId, { metadata: { topic: 'x', thread_id: threadId } });
      const original = await client.threads.get(threadId);
      const copy = await client.threads.copy(threadId);
      expect(copy).toMatchObject({
        status: 'interrupted',
        values: original.values,
        interrupts: original.interrupts,
        metadata: { graph_id: 'talk', topic: 'x', thread_id: copy.thread_id },
      });
      expect(copy.thread_id).not.toBe(threadId);
      const [history, copied] = await Promise.all(
        [threadId, copy.thread_id].map((id) => client.threads.getHistory(id, { limit: 100 })),
      );
      expect(copied?.map(({ values, next, checkpoint }) => [values, next, checkpoint.checkpoint_id])).toEqual(
        history?.map(({ values, next, checkpoint }) => [values, next, checkpoint.checkpoint_id]),
      );
      expect(copied?.[0]?.checkpoint.thread_id).toBe(copy.thread_id);
      const answered = await client.runs.wait(copy.thread_id, 'talk', { command: { resume: 'yes' } });
      expect((answered as unknown as Talk).log.slice(-2)).toEqual(['told yes', 'answered']);
      expect(await client.threads.get(threadId)).toEqual(original);
      await client.threads.delete(threadId);
      expect(await logOf(copy.thread_id)).toEqual((answered as unknown as Talk).log);
      await client.runs.wait(copy.thread_id, 'talk', { input: { log: ['more'] } });
      expect(await logOf(copy.thread_id)).toEqual([...(answered as unknown as Talk).log, 'more', 'heard']);
    });

    it('can be made during a run of the original: the copy has the current state, and the run is not disturbed', async () => {
      const threadId = await said('hi');
      const run = await client.runs.create(threadId, 'ticker', {
        input: { ticks: TICKS, log: ['count'] },
        streamMode: ['values', 'custom'],
      });
      const stream = client.runs.joinStream(threadId, run.run_id, { streamMode: 'custom' });
      await stream.next();
      await stream.next();
      const copy = await client.threads.copy(threadId);
      await stream.return(undefined as never);
      expect((copy.values as unknown as Talk).log).toEqual(['hi', 'heard', 'answered', 'count']);
      expect(copy.status).toBe('interrupted');
      await client.runs.join(threadId, run.run_id);
      expect(await logOf(threadId)).toEqual(['hi', 'heard', 'answered', 'count', `ticked ${TICKS}`]);
      expect(await logOf(copy.thread_id)).toEqual(['hi', 'heard', 'answered', 'count']);
      const rest = await client.runs.wait(copy.thread_id, 'ticker', { input: null });
      expect((rest as unknown as Talk).log).toEqual(['hi', 'heard', 'answered', 'count', `ticked ${TICKS}`]);
    });

    it('can be made of a thread without runs, but not of a missing thread (HTTP status 404)', async () => {
      const { thread_id } = await client.threads.create({ metadata: { a: 1 } });
      const copy = await client.threads.copy(thread_id);
      expect(copy).toMatchObject({ status: 'idle', values: null, metadata: { a: 1 }, interrupts: {} });
      const unknown = randomUUID();
      await expect(client.threads.copy(unknown)).rejects.toThrow(`HTTP 404: Thread with ID ${unknown} not found`);
    });
  });

  describe('pruning a thread with the strategy keep_latest', () => {
    it('keeps the newest state, deletes older states, and lets the conversation continue', async () => {
      const threadId = await said('one', 'two', 'three', 'shall I?');
      const before = await client.threads.getState(threadId);
      const stored = await storedOf(threadId);
      expect(await client.threads.prune([threadId], { strategy: 'keep_latest' })).toEqual({ pruned_count: 1 });
      expect(await client.threads.getState(threadId)).toEqual(before);
      expect(await client.threads.getHistory(threadId, { limit: 100 })).toEqual([before]);
      expect(await storedOf(threadId)).toBeLessThan(stored / 3);
      expect((await client.threads.get(threadId)).status).toBe('interrupted');
      const answered = await client.runs.wait(threadId, 'talk', { command: { resume: 'yes' } });
      expect((answered as unknown as Talk).log.slice(-2)).toEqual(['told yes', 'answered']);
      expect(await client.threads.getHistory(threadId, { limit: 100 })).toHaveLength(3);
    });

    it('does not disturb an active run', async () => {
      const threadId = await said('hi');
      const run = await client.runs.create(threadId, 'ticker', {
        input: { ticks: TICKS, log: ['count'] },
        streamMode: ['values', 'custom'],
      });
      const stream = client.runs.joinStream(threadId, run.run_id, { streamMode: 'custom' });
      await stream.next();
      await stream.next();
      await client.threads.prune([threadId], { strategy: 'keep_latest' });
      await stream.return(undefined as never);
      await client.runs.join(threadId, run.run_id);
      expect(await logOf(threadId)).toEqual(['hi', 'heard', 'answered', 'count', `ticked ${TICKS}`]);
      expect((await client.threads.get(threadId)).status).toBe('idle');
    });
  });
});
