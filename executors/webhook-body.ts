import type { DeliveryStore } from '../egress/index.js';
import {
  STATELESS_METADATA,
  isEnded,
  runToWire,
  type Caller,
  type EndedRunStatus,
  type Run,
  type RunError,
} from '../protocol/index.js';

const MAX_BODY_BYTES = 12 * 1024 * 1024;

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
  const { webhook } = run.request;
  // If the run has already ended, its webhook was stored at that time.
  if (webhook === undefined || isEnded(run.status)) return;
  const values = await readValues(run);
  const now = new Date();
  const body = {
    ...runToWire(run),
    status: end.status,
    run_started_at: (run.startedAt ?? run.createdAt).toISOString(),
    run_ended_at: now.toISOString(),
    updated_at: now.toISOString(),
    error: end.error?.message ?? null,
  };
  await deliveries.put(caller, {
    id: run.runId,
    url: webhook,
    body: withValues(body, values),
    // A stored body that names a thread is deleted together with the thread. The thread of a
    // stateless run is soon deleted by the sweeper, so this body must not name the thread.
    ...(!isStateless(run) && { threadId: run.threadId }),
  });
}

function isStateless({ metadata }: Run): boolean {
  return Object.keys(STATELESS_METADATA).some((key) => key in metadata);
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
