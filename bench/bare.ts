import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { Client, Connection, WithStartWorkflowOperation, type WorkflowHandle } from '@temporalio/client';
import type { BenchHouse } from './house.js';

/**
 * Runs turns of the bare workflow on the Temporal server that Colloquy uses too. The bare workflow
 * does the least that Temporal must do for a run (see `bare-workflow.ts`). One turn of it stands
 * for one run of Colloquy.
 */
export interface BareTemporal {
  /**
   * Starts a new workflow and its first turn in one request (Temporal's update-with-start).
   * Resolves when all activities of the turn are done.
   */
  firstTurn(steps: number): Promise<void>;
  /**
   * Starts a workflow and runs its first turn. Returns the workflow's handle, and a function that
   * runs one more turn.
   */
  conversation(steps: number): Promise<{ handle: WorkflowHandle; turn: () => Promise<void> }>;
}

/**
 * Starts a worker for the bare workflow in a separate process. Returns functions that run turns.
 */
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
