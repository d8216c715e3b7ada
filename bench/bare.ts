import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Client, Connection, WithStartWorkflowOperation, type WorkflowHandle } from '@temporalio/client';
import type { BenchHouse } from './house.js';

/** A minimal turn on the same Temporal server. */
export interface BareTemporal {
  /** Sends an update-with-start to a new workflow. Resolves when its activities are done. */
  firstTurn(steps: number): Promise<void>;
  /** Starts a workflow, and returns a function that runs one turn of it. */
  conversation(steps: number): Promise<{ handle: WorkflowHandle; turn: () => Promise<void> }>;
}

/** Starts a separate worker process for the bare workflow, and a client. */
export async function startBare(house: BenchHouse): Promise<BareTemporal> {
  const taskQueue = `${house.name}-bare`;
  const script = fileURLToPath(new URL('./bare-worker.js', import.meta.url));
  await house.fork('bare-worker', script, [house.temporalAddress, taskQueue]);
  const connection = await Connection.connect({ address: house.temporalAddress });
  house.onStop(() => connection.close());
  const client = new Client({ connection });

  async function start(steps: number): Promise<string> {
    const workflowId = `bare/${randomUUID()}`;
    const startWorkflowOperation = new WithStartWorkflowOperation('bareConversation', {
      workflowId,
      taskQueue,
      args: [steps],
      workflowIdConflictPolicy: 'USE_EXISTING',
    });
    await client.workflow.executeUpdateWithStart('turn', { startWorkflowOperation });
    return workflowId;
  }

  return {
    async firstTurn(steps) {
      await start(steps);
    },
    async conversation(steps) {
      const handle = client.workflow.getHandle(await start(steps));
      return { handle, turn: () => handle.executeUpdate('turn') };
    },
  };
}
