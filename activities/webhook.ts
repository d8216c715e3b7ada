import { ApplicationFailure, Context } from '@temporalio/activity';
import { isDatabaseError } from '../database/index.js';
import { webhookDelivery } from '../conversations/index.js';
import { signatureHeaders, type EgressAnswer } from '../egress/index.js';
import {
  errorCode,
  isEnded,
  isRetryable,
  parseRetryAfter,
  type Caller,
  type EndedRunStatus,
  type Run,
  type RunError,
} from '../protocol/index.js';
import { readValues } from '../steps/index.js';
import type { WebhookActivities, WebhookTask } from '../workflows/contract.js';
import { workerCaller, type ActivityDependencies } from './deps.js';

const GONE = 410;

/**
 * Stores the body of the run's webhook, because the thread may change or be deleted before the body
 * is sent. Must be called before the run's record is marked as ended. Otherwise a crash between the
 * two writes would lose the webhook. Idempotent by run id.
 */
export async function keepWebhook(
  dependencies: ActivityDependencies,
  caller: Caller,
  run: Run,
  end: { status: EndedRunStatus; error?: RunError },
): Promise<void> {
  const { webhook } = run.request;
  // If the run has already ended, its webhook was stored at that time.
  if (webhook === undefined || isEnded(run.status)) return;
  const values = await valuesOf(dependencies, caller, run);
  const delivery = webhookDelivery(run, end, values);
  if (delivery !== undefined) await dependencies.deliveries.put(caller, delivery);
}

/**
 * Returns the values of the thread's state. Returns undefined if the graph cannot be loaded or
 * cannot read the state. Either may be the reason why the run has failed, so the webhook is then
 * stored without values. Throws errors of the database, so that Temporal retries the activity.
 */
async function valuesOf({ project, savers }: ActivityDependencies, caller: Caller, run: Run): Promise<unknown> {
  const graph = await project.load(run.graphId, run.request.config).catch(() => undefined);
  if (graph === undefined) return undefined;
  try {
    return await readValues(graph, await savers.openReader(caller, run.threadId), run.threadId);
  } catch (error) {
    if (isDatabaseError(error)) throw error;
    return undefined;
  }
}

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
  throw ApplicationFailure.create({
    message: (error as Error).message,
    type: code ?? (error as Error).name,
    nonRetryable: code !== undefined && !isRetryable(code),
    cause: error as Error,
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
