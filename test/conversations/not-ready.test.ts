import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Worker } from '@temporalio/worker';
import { createConversations } from '../../conversations/index.js';
import { conversationId } from '../../protocol/index.js';
import { CONVERSATION_WORKFLOW, DEFAULT_SETTINGS, conversationStart } from '../../workflows/contract.js';
import { ANONYMOUS_CALLER } from '../support/api-server.js';
import { WORKFLOW_BUNDLE } from '../workflows/world.js';

/**
 * Temporal's number for the cause `WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE`.
 */
const BROKEN_CODE = 24;
const FAILED_PRECONDITION = 9;

const address = process.env.COLLOQUY_TEST_TEMPORAL_ADDRESS;

let connection: Connection;
let native: NativeConnection;

beforeAll(async () => {
  connection = await Connection.connect({ address });
  native = await NativeConnection.connect({ address });
});

afterAll(async () => {
  await connection.close();
  await native.close();
});

/**
 * Counts failed calls to Temporal. `watch` observes one call. `all` resolves when `expected` of the
 * observed calls have failed.
 */
function refusals(expected: number) {
  let resolveAll: () => void;
  let count = 0;
  const all = new Promise<void>((resolve) => (resolveAll = resolve));
  const watch = async <T>(call: Promise<T>): Promise<T> => {
    try {
      return await call;
    } catch (error) {
      count += 1;
      if (count === expected) resolveAll();
      throw error;
    }
  };
  return { all, watch };
}

describe('a conversation whose workflow tasks fail', () => {
  it('accepts a run and answers a query as soon as a worker with working code takes over', async () => {
    const [taskQueue, threadId] = [`not-ready-${randomUUID()}`, randomUUID()];
    const { tenant } = ANONYMOUS_CALLER;
    const plain = new Client({ connection });
    const handle = await plain.workflow.start(CONVERSATION_WORKFLOW, {
      ...conversationStart({ tenant, threadId, settings: DEFAULT_SETTINGS }, { assistantId: 'talk' }),
      taskQueue,
    });
    for (let attempt = 1; attempt < 3; attempt += 1) await failNextTask(taskQueue);
    await expect(handle.query('state')).rejects.toMatchObject({ cause: { code: FAILED_PRECONDITION } });

    const refused = refusals(2);
    const conversations = createConversations({
      client: new Client({
        connection,
        interceptors: {
          workflow: [
            {
              startUpdateWithStart: (input, next) => refused.watch(next(input)),
              query: (input, next) => refused.watch(next(input)),
            },
          ],
        },
      }),
      taskQueue,
      settings: DEFAULT_SETTINGS,
      timeoutMs: 30_000,
    });
    const run = { runId: randomUUID(), graphId: 'talk', assistantId: 'talk', strategy: 'enqueue' } as const;
    const answers = Promise.all([
      conversations.submit(ANONYMOUS_CALLER, threadId, run),
      conversations.view(ANONYMOUS_CALLER, threadId),
    ]);
    await Promise.race([refused.all, answers]);

    const worker = await Worker.create({ connection: native, taskQueue, workflowBundle: WORKFLOW_BUNDLE });
    await worker.runUntil(async () => {
      const [submitted, view] = await answers;
      expect(submitted).toMatchObject({ runId: run.runId, duplicate: false });
      expect(view.threadId).toBe(threadId);
      await plain.workflow.getHandle(conversationId(tenant, threadId)).terminate('the test is over');
    });
  });
});

/**
 * Takes the next workflow task of the task queue and reports that it failed, like a worker whose
 * workflow code throws.
 */
async function failNextTask(taskQueue: string): Promise<void> {
  const { workflowService } = connection;
  const poll = () => workflowService.pollWorkflowTaskQueue({ namespace: 'default', taskQueue: { name: taskQueue } });
  const { taskToken } = await connection.withDeadline(Date.now() + 60_000, poll);
  await workflowService.respondWorkflowTaskFailed({ namespace: 'default', taskToken, cause: BROKEN_CODE });
}
