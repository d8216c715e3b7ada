import { describe, expect, it } from '@jest/globals';
import { resolve } from 'node:path';
import { ServiceProcesses } from '../support/house.js';
import { describeAnimals } from './animal-suite.js';
import { ANIMALS } from './animals.js';

const VISIT_MS = 90_000;
/** One animal of each kind that ends, blocks or outlives its process. The long tests have all of them. */
const NAMES = ['crash spawn', 'crash once', 'block_quick spawn 4 s', 'hang deaf', 'limit deaf', 'throws self-cause'];
const CHOSEN = ANIMALS.filter(({ name }) => NAMES.includes(name));

const TITLE = 'the zoo: graphs that misbehave, several at once on one worker';
describeAnimals(TITLE, CHOSEN, { visitMs: VISIT_MS, waitMs: 2 * VISIT_MS }, (zoo) => {
  it(
    'tries all runs of a crashed process again alone, and blames only the one that crashes alone',
    async () => {
      const { client, ledger } = zoo;
      const start = async (input: object) => {
        const { thread_id: threadId } = await client.threads.create();
        return client.runs.create(threadId, 'crash', { input: { ...input } });
      };
      const signal = AbortSignal.timeout(VISIT_MS);
      const innocent = await Promise.all([start({ node: 'after' }), start({ node: 'after' })]);
      for (const { run_id } of innocent) await ledger.started(run_id, signal);
      const culprit = await start({ node: 'fall', how: 'exit-1' });
      const all = [...innocent, culprit];
      await Promise.all(all.map(({ thread_id, run_id }) => client.runs.join(thread_id, run_id).catch(() => undefined)));
      const records = await Promise.all(all.map(({ thread_id, run_id }) => client.runs.get(thread_id, run_id)));
      expect(records.map(({ status }) => status)).toEqual(['success', 'success', 'error']);
      expect(records[2]).toMatchObject({ error: { error: 'process_crashed' } });
      const executions = ledger.read(all.map(({ run_id }) => run_id)).map(({ node }) => node);
      expect(executions.filter((node) => node === 'after').length).toBeLessThanOrEqual(4);
      // The first crash has several suspects, so it is not counted.
      expect(executions.filter((node) => node === 'fall').length).toBeLessThanOrEqual(4);
    },
    VISIT_MS,
  );
});

describe('a project whose module ends its process while it is imported', () => {
  it('is refused when a worker starts, with the graph and the exit code', async () => {
    const house = new ServiceProcesses(resolve('test/zoo/exit-at-import/langgraph.json'));
    const message = await house.worker().then(
      () => 'it started',
      (error: unknown) => (error as Error).message,
    );
    await house.stop();
    expect(message).toMatch(/leaver|graph\.ts/);
    expect(message).toMatch(/\b3\b[^]*the last words of exit-at-import/);
  }, 60_000);
});
