import { ParentClosePolicy, WorkflowIdReusePolicy, startChild } from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { webhookId } from '../protocol/index.js';
import { WEBHOOK_WORKFLOW, oneLine } from './contract.js';
import type { ConversationInput, QueuedRun, WebhookTask } from './contract.js';

/**
 * Starts each delivery of a webhook as a child workflow of the conversation. A delivery therefore
 * does not delay the next run, and continues after the conversation has ended.
 */
export class WebhookStarts {
  private readonly starting = new Set<Promise<void>>();

  constructor(
    private readonly input: ConversationInput,
    private readonly note: (text: string) => void,
  ) {}

  /**
   * Starts the delivery for an ended run if the run has a webhook. The workflow id of the delivery
   * contains the run id, so a repeated call starts no second delivery.
   */
  start(run: QueuedRun): void {
    if (!run.webhook) return;
    const starting = this.startDelivery(run.runId).finally(() => this.starting.delete(starting));
    this.starting.add(starting);
  }

  /**
   * Resolves when all deliveries have started. If the conversation's workflow completed earlier,
   * Temporal's server would drop the remaining starts.
   */
  async started(): Promise<void> {
    while (this.starting.size > 0) await Promise.all(this.starting);
  }

  private async startDelivery(runId: string): Promise<void> {
    const { tenant, threadId } = this.input;
    const task: WebhookTask = { tenant, threadId, runId };
    try {
      await startChild(WEBHOOK_WORKFLOW, {
        workflowId: webhookId(tenant, runId),
        args: [task],
        parentClosePolicy: ParentClosePolicy.ABANDON,
        workflowIdReusePolicy: WorkflowIdReusePolicy.REJECT_DUPLICATE,
        staticSummary: oneLine(`webhook of run ${runId}`),
      });
    } catch (failure) {
      if (failure instanceof WorkflowExecutionAlreadyStartedError) return;
      this.note(`the webhook of run ${runId} could not be started: ${(failure as Error).message}`);
    }
  }
}
