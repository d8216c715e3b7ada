import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Client, Connection, WithStartWorkflowOperation, type WorkflowHandle } from '@temporalio/client';
import type { BenchHouse } from './house.js';

/** A turn and no more, on the same Temporal server. */
export interface BareTemporal {
  /** Update-with-start of a new workflow: resolves when its activities are done. */
  firstTurn(steps: number): Promise<void>;
  /** A workflow that is there already, and a function that does one turn of it. */
  conversation(steps: number): Promise<{ handle: WorkflowHandle; turn: () => Promise<void> }>;
}

/** Starts a worker process of its own for the bare workflow, and a client. */
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
