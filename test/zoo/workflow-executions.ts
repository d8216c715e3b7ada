import { Client, Connection } from '@temporalio/client';
import { DEFAULT_TENANT, conversationId } from '../../protocol/index.js';

/** One execution of a conversation workflow. Each but the last has continued as new. */
export interface WorkflowExecution {
  runId: string;
  /** The status as Temporal names it, such as `CONTINUED_AS_NEW`. */
  status: string;
  /** Number of events in its history. */
  events: number;
}

/** Returns the executions of a thread's conversation, from the first to the current one. */
export async function workflowExecutions(address: string, threadId: string): Promise<WorkflowExecution[]> {
  const connection = await Connection.connect({ address });
  try {
    const { workflow } = new Client({ connection });
    const workflowId = conversationId(DEFAULT_TENANT, threadId);
    const { raw } = await workflow.getHandle(workflowId).describe();
    const found: WorkflowExecution[] = [];
    for (let runId = raw.workflowExecutionInfo?.firstRunId; runId; ) {
      const handle = workflow.getHandle(workflowId, runId);
      const { status, historyLength } = await handle.describe();
      found.push({ runId, status: status.name, events: historyLength });
      const { events } = await handle.fetchHistory();
      runId = events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId ?? undefined;
    }
    return found;
  } finally {
    await connection.close();
  }
}
