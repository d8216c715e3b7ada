import { ParentClosePolicy, WorkflowIdReusePolicy, startChild } from '@temporalio/workflow';
import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import { webhookId } from '../protocol/index.js';
import { WEBHOOK_WORKFLOW, oneLine } from './contract.js';
import type { ConversationInput, QueuedRun, WebhookTask } from './contract.js';

/**
 * Starts the deliveries of a conversation's webhooks. They are workflows of their own, so that none
 * holds up the next run or ends with it.
 */
export class WebhookStarts {
  private readonly starting = new Set<Promise<void>>();

  constructor(
    private readonly input: ConversationInput,
    private readonly note: (text: string) => void,
  ) {}

  /**
   * Begins the delivery for a run that has ended, if it has a webhook. One delivery a run, however
   * often its end is noticed.
   */
  start(run: QueuedRun): void {
    if (!run.webhook) return;
    const starting = this.startDelivery(run.runId).finally(() => this.starting.delete(starting));
    this.starting.add(starting);
  }

  /** A delivery that has not begun when its conversation closes never will. */
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
