import { proxyActivities } from '@temporalio/workflow';
import type { WebhookActivities, WebhookTask } from './contract.js';

/**
 * Temporal retries the activity after 1 s, 4 s, 16 s and so on, at most six hours apart, for three
 * days.
 */
const { deliverWebhook } = proxyActivities<WebhookActivities>({
  startToCloseTimeout: '60s',
  scheduleToCloseTimeout: '3 days',
  retry: { initialInterval: '1s', backoffCoefficient: 4, maximumInterval: '6h' },
});

/**
 * Delivers the webhook of one run. If the receiver has not accepted the webhook within three days,
 * the workflow fails, so that an operator can find it and reset it.
 */
export async function webhook(task: WebhookTask): Promise<boolean> {
  return deliverWebhook(task);
}
