import type { DeliveryStore } from '../egress/index.js';
import {
  isEnded,
  webhookDelivery,
  type Caller,
  type EndedRunStatus,
  type Run,
  type RunError,
} from '../protocol/index.js';

export interface WebhookBodyDependencies {
  deliveries: Pick<DeliveryStore, 'put'>;
  /**
   * Returns the values of the state of the run's thread, or undefined if the graph cannot read them.
   */
  readValues: (run: Run) => Promise<unknown>;
}

/**
 * Stores the body of the run's webhook, because the thread may change or be deleted before the body
 * is sent. Must be called before the run's record is marked as ended. Otherwise a crash between the
 * two writes would lose the webhook. Idempotent by run id.
 */
export async function keepWebhook(
  { deliveries, readValues }: WebhookBodyDependencies,
  caller: Caller,
  run: Run,
  end: { status: EndedRunStatus; error?: RunError },
): Promise<void> {
  // If the run has already ended, its webhook was stored at that time.
  if (run.request.webhook === undefined || isEnded(run.status)) return;
  const delivery = webhookDelivery(run, end, await readValues(run));
  if (delivery !== undefined) await deliveries.put(caller, delivery);
}
