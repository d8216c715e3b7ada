import { proxyActivities } from '@temporalio/workflow';
import type { WebhookActivities, WebhookTask } from './contract.js';

/** Attempts after 1 s, 4 s, 16 s, then rarer up to every six hours, for three days. */
const { deliverWebhook } = proxyActivities<WebhookActivities>({
  startToCloseTimeout: '60s',
  scheduleToCloseTimeout: '3 days',
  retry: { initialInterval: '1s', backoffCoefficient: 4, maximumInterval: '6h' },
});

/**
 * Delivers the webhook of one run. Fails when its receiver has not taken it in three days, so that
 * it can be found and reset.
 */
export async function webhook(task: WebhookTask): Promise<boolean> {
  return deliverWebhook(task);
}
