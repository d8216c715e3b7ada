import { ApplicationFailure, Context } from '@temporalio/activity';
import { isDatabaseError } from '../database/index.js';
import { signatureHeaders, type EgressAnswer } from '../egress/index.js';
import {
  STATELESS_METADATA,
  WHOLE_IN_RECORD,
  errorCode,
  isEnded,
  isRetryable,
  parseRetryAfter,
  runToWire,
  shortRunError,
  type Caller,
  type EndedRunStatus,
  type Run,
  type RunError,
} from '../protocol/index.js';
import { describeError, readValues } from '../steps/index.js';
import type { WebhookActivities, WebhookTask } from '../workflows/contract.js';
import { workerCaller, type ActivityDependencies } from './deps.js';
import { createFailure } from './failures.js';

const GONE = 410;
const MAX_BODY_BYTES = 12 * 1024 * 1024;

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
  const now = new Date();
  const body = {
    ...runToWire(run),
    status: end.status,
    run_started_at: (run.startedAt ?? run.createdAt).toISOString(),
    run_ended_at: now.toISOString(),
    updated_at: now.toISOString(),
    error: end.error?.message ?? null,
  };
  await dependencies.deliveries.put(caller, {
    id: run.runId,
    url: webhook,
    body: withValues(withShortError(body, end.error), values),
    // A stored body that names a thread is deleted together with the thread. The thread of a
    // stateless run is soon deleted by the sweeper, so this body must not name the thread.
    ...(!isStateless(run) && { threadId: run.threadId }),
  });
}

function isStateless({ metadata }: Run): boolean {
  return Object.keys(STATELESS_METADATA).some((key) => key in metadata);
}

/**
 * Returns the body, with the beginning of the error only if the body would otherwise become too
 * large. The body also contains the request of the run, which may have several MB.
 */
function withShortError(body: Record<string, unknown>, error: RunError | undefined): Record<string, unknown> {
  if (error === undefined || Buffer.byteLength(JSON.stringify(body)) <= MAX_BODY_BYTES) return body;
  return { ...body, error: shortRunError(error, WHOLE_IN_RECORD).message };
}

/**
 * Adds the values of the thread's state to the body, unless the body would become too large.
 * MongoDB limits a document to 16 MB, and large values must not prevent the end of a run.
 */
function withValues(body: Record<string, unknown>, values: unknown): Record<string, unknown> {
  if (values === undefined) return body;
  const whole = { ...body, values };
  const bytes = Buffer.byteLength(JSON.stringify(whole));
  if (bytes <= MAX_BODY_BYTES) return whole;
  return { ...body, values_omitted: `the body would have ${bytes} bytes; read the state of the thread` };
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
