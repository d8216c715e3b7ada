import { ApplicationFailure, Context } from '@temporalio/activity';
import { signatureHeaders, type EgressAnswer } from '../egress/index.js';
import { errorCode, isRetryable, parseRetryAfter } from '../protocol/index.js';
import { describeError } from '../steps/index.js';
import type { WebhookActivities, WebhookTask } from '../workflows/contract.js';
import { workerCaller, type ActivityDependencies } from './deps.js';
import { createFailure } from './failures.js';

const GONE = 410;

/**
 * Returns the activity that posts the stored body of a webhook. If the worker dies right after it
 * has sent the body, the next attempt sends the body again, with the same `webhook-id`.
 */
export function createDeliverWebhook(dependencies: ActivityDependencies): WebhookActivities['deliverWebhook'] {
  const { deliveries, egress, webhookSecrets } = dependencies;

  return async ({ tenant, runId }: WebhookTask) => {
    const caller = workerCaller(tenant);
    const delivery = await deliveries.get(caller, runId);
    if (delivery === undefined) return false;
    const at = new Date();
    const body = JSON.stringify({ ...delivery.body, webhook_sent_at: at.toISOString() });
    const headers = {
      'content-type': 'application/json',
      'user-agent': 'Colloquy',
      ...signatureHeaders(delivery.id, at, body, webhookSecrets),
    };
    const signal = Context.current().cancellationSignal;
    const answer = await egress.post(delivery.url, { headers, body, signal }).catch(refuse);
    if (answer.status < 200 || answer.status > 299) throw notTaken(delivery.url, answer);
    await deliveries.remove(caller, runId);
    return true;
  };
}

function refuse(error: unknown): never {
  const code = errorCode(error);
  const described = describeError(error);
  throw createFailure(described, error, {
    type: code ?? described.error,
    nonRetryable: code !== undefined && !isRetryable(code),
  });
}

function notTaken(url: string, { status, retryAfter }: EgressAnswer): ApplicationFailure {
  const pauseMs = retryAfter === undefined ? undefined : parseRetryAfter(retryAfter);
  return ApplicationFailure.create({
    message: `${new URL(url).host} answered ${status} to the webhook`,
    type: `http_${status}`,
    // Every status except 410 is retried, even a status such as 404 or 401, because a receiver may
    // answer with it while it is being deployed.
    nonRetryable: status === GONE,
    ...(pauseMs !== undefined && { nextRetryDelay: pauseMs }),
  });
}
