import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { setTimeout as sleep } from 'node:timers/promises';
import { executions } from './ledger.js';
import { workflowExecutions } from './workflow-executions.js';
import { Zoo } from './zoo.js';

/**
 * A workflow execution ends after so many steps. Temporal suggests it after about 680, which is too
 * many for a test.
 */
const STEPS_PER_EXECUTION = 40;
const SUPERSTEPS = 100;
const POLL_MS = 100;
const TURN_MS = 180_000;

describe('a turn of many supersteps, each of which is an activity', () => {
  const address = process.env['COLLOQUY_TEST_TEMPORAL_ADDRESS'] ?? '';
  const zoo = new Zoo({
    COLLOQUY_JOIN_QUICK_STEPS_MS: '0',
    COLLOQUY_MAX_STEPS: String(STEPS_PER_EXECUTION),
  });
  beforeAll(() => zoo.open(), 120_000);
  afterAll(async () => {
    await zoo.close();
  }, 60_000);

  async function begin(supersteps: number) {
    const { thread_id: threadId } = await zoo.client.threads.create();
    const { run_id: runId } = await zoo.client.runs.create(threadId, 'long', {
      input: { of: supersteps },
      config: { recursion_limit: supersteps + 10 },
    });
    return { threadId, runId, status: async () => (await zoo.client.runs.get(threadId, runId)).status };
  }

  it(
    'goes on in new workflow executions, and executes each node once',
    async () => {
      const { threadId, runId, status } = await begin(SUPERSTEPS);
      await zoo.client.runs.join(threadId, runId);
      expect(await status()).toBe('success');
      expect(executions(zoo.ledger.read([runId]))).toEqual({ advance: SUPERSTEPS });
      const found = await workflowExecutions(address, threadId);
      expect(found.map((execution) => execution.status)).toEqual(['CONTINUED_AS_NEW', 'CONTINUED_AS_NEW', 'RUNNING']);
    },
    TURN_MS,
  );

  it(
    'can be cancelled after it has gone on in a new workflow execution',
    async () => {
      const { threadId, runId, status } = await begin(100 * SUPERSTEPS);
      const reached = () => zoo.ledger.read([runId]).length;
      while (reached() <= STEPS_PER_EXECUTION + 5) await sleep(POLL_MS);
      await zoo.client.runs.cancel(threadId, runId, true);
      expect(await status()).toBe('interrupted');
      const atEnd = reached();
      const found = await workflowExecutions(address, threadId);
      expect(found.map((execution) => execution.status).slice(0, 1)).toEqual(['CONTINUED_AS_NEW']);
      // The thread can go on, and the cancelled run does not.
      await zoo.client.runs.wait(threadId, 'long', { input: { count: 0, of: 1 } });
      expect(reached()).toBe(atEnd);
      expect((await zoo.client.threads.get(threadId)).status).toBe('idle');
    },
    TURN_MS,
  );
});
