import { isEnded, type EndedRunStatus, type Run, type RunError } from './run.js';
import { WHOLE_IN_RECORD, shortRunError } from './run-error.js';
import { runToWire } from './run-wire.js';
import { STATELESS_METADATA } from './thread.js';

const MAX_BODY_BYTES = 12 * 1024 * 1024;

/** A webhook that is to be sent. */
export interface WebhookDelivery {
  /** Id of the run. */
  id: string;
  url: string;
  body: Record<string, unknown>;
  /** Absent for the thread of a stateless run. */
  threadId?: string;
}

/**
 * Returns the webhook of a run that is about to end. Returns undefined if the run has no webhook,
 * or has ended already: its webhook was stored at that time.
 *
 * @param values the values of the thread's state, or undefined if they cannot be read
 */
export function webhookDelivery(
  run: Run,
  end: { status: EndedRunStatus; error?: RunError },
  values: unknown,
): WebhookDelivery | undefined {
  const { webhook } = run.request;
  if (webhook === undefined || isEnded(run.status)) return undefined;
  const now = new Date();
  const body = {
    ...runToWire(run),
    status: end.status,
    run_started_at: (run.startedAt ?? run.createdAt).toISOString(),
    run_ended_at: now.toISOString(),
    updated_at: now.toISOString(),
    error: end.error?.message ?? null,
  };
  return {
    id: run.runId,
    url: webhook,
    body: withValues(withShortError(body, end.error), values),
    // A stored body that names a thread is deleted together with the thread. The thread of a
    // stateless run is soon deleted by the sweeper, so this body must not name the thread.
    ...(!isStateless(run) && { threadId: run.threadId }),
  };
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
