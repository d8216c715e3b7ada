import { afterEach, describe, expect, it } from '@jest/globals';
import { resolve } from 'node:path';
import { CallPool, ExecutorProcess } from '../../executors/index.js';
import type { Logger } from '../../telemetry/index.js';

const LONG_MS = 60_000;

describe('the executors of a process that runs no steps', () => {
  const logged: string[] = [];
  const note = (message: string) => void logged.push(message);
  const logger: Logger = { debug: () => {}, info: note, warn: note, error: note };
  const pools: CallPool[] = [];
  let started = 0;

  function openPool({ fails = false } = {}): CallPool {
    started = 0;
    const pool = new CallPool({
      start: () => {
        started += 1;
        const program = resolve('test/fixtures/call-executor.mjs');
        return new ExecutorProcess({ program, nodeOptions: [], config: { fails }, graceMs: 300 });
      },
      graphIds: ['good', 'other', 'bad'],
      replaceAboveBytes: Number.POSITIVE_INFINITY,
      blockLimitMs: 1_500,
      logger,
    });
    pools.push(pool);
    return pool;
  }
  afterEach(async () => {
    await Promise.all(pools.splice(0).map((pool) => pool.stop()));
  });

  const read = (pool: CallPool, graphId: string, ...args: unknown[]) =>
    pool.call({ name: 'do', args, graphId, purpose: 'read the state of thread t_1' });
  const edit = (pool: CallPool, graphId: string, ...args: unknown[]) =>
    pool.call({ name: 'do', args, graphId, purpose: 'edited the state of thread t_1', isEdit: true });

  it(
    'runs the reads of all graphs in one executor, and edits in one executor for each graph',
    async () => {
      const pool = openPool();
      const reads = await Promise.all(['good', 'other', 'bad', 'unknown'].map((graphId) => read(pool, graphId)));
      expect(new Set(reads).size).toBe(1);
      expect(started).toBe(1);
      const edits = await Promise.all(['good', 'good', 'other'].map((graphId) => edit(pool, graphId)));
      expect(edits[0]).toBe(edits[1]);
      expect(new Set([...reads, ...edits]).size).toBe(3);
    },
    LONG_MS,
  );

  it(
    'repeats alone each read of an executor that has ended, and blames the one that ends its own',
    async () => {
      const pool = openPool();
      const pid = await read(pool, 'good');
      const innocent = [read(pool, 'good', 'wait', 400), read(pool, 'bad', 'wait', 400)];
      const guilty = read(pool, 'bad', 'exit', 5);
      await expect(guilty).rejects.toMatchObject({
        code: 'graph_failed',
        errorName: 'process_crashed',
        message:
          'the process that read the state of thread t_1 (graph bad) has ended: exit code 5; ' +
          'the last lines of its standard error:\nthe last words',
      });
      for (const answer of await Promise.all(innocent)) expect(answer).not.toBe(pid);
      expect(logged.join('\n')).toMatch(/of graph bad: exit code 5/);
    },
    LONG_MS,
  );

  it(
    'keeps a graph that has ended an executor away from the reads of others',
    async () => {
      const pool = openPool();
      await expect(read(pool, 'bad', 'exit', 5)).rejects.toMatchObject({ code: 'graph_failed' });
      const shared = await read(pool, 'good');
      await expect(read(pool, 'bad', 'exit', 5)).rejects.toMatchObject({ code: 'graph_failed' });
      expect(await read(pool, 'bad')).not.toBe(shared);
      expect(await read(pool, 'other')).toBe(shared);
      pool.replaceAll();
      expect(await read(pool, 'bad')).not.toBe(shared);
      expect(await read(pool, 'good')).toBe(await read(pool, 'bad'));
    },
    LONG_MS,
  );

  it(
    'does not repeat an edit whose executor has ended, and says that it may have been written',
    async () => {
      const pool = openPool();
      await expect(edit(pool, 'bad', 'exit', 6)).rejects.toMatchObject({
        code: 'graph_failed',
        message: expect.stringMatching(/edited the state of thread t_1 \(graph bad\).*exit code 6; the edit may/),
      });
      expect(started).toBe(1);
    },
    LONG_MS,
  );

  it(
    'answers reads elsewhere while another one blocks, and ends the one that blocks for too long',
    async () => {
      const pool = openPool();
      await read(pool, 'good');
      const other = read(pool, 'other', 'wait', 50);
      const bad = read(pool, 'bad', 'block', 60);
      const answered = await Promise.race([other.then(() => 'other'), bad.catch(() => 'bad')]);
      expect(answered).toBe('other');
      await expect(bad).rejects.toMatchObject({
        code: 'graph_failed',
        message: expect.stringMatching(/\(graph bad\) was ended, because its code had blocked it for 1.5 s/),
      });
      expect(logged.join('\n')).toMatch(/is blocked/);
    },
    LONG_MS,
  );

  it(
    'lets a read end after its code has thrown an exception that nobody catches',
    async () => {
      const pool = openPool();
      const innocent = read(pool, 'good', 'wait', 300);
      const pid = await read(pool, 'bad', 'throw later');
      expect(await innocent).toBe(pid);
      expect(logged.join('\n')).toMatch(/code of graph bad has thrown an exception/);
      const shared = await read(pool, 'good');
      expect(shared).not.toBe(pid);
      await read(pool, 'bad', 'throw later');
      expect(await read(pool, 'good')).toBe(shared);
    },
    LONG_MS,
  );

  it(
    'fails with the reason if no executor can start',
    async () => {
      const pool = openPool({ fails: true });
      await expect(read(pool, 'good')).rejects.toMatchObject({
        code: 'unavailable',
        message: 'the process that reads states cannot start: no database',
      });
    },
    LONG_MS,
  );
});
