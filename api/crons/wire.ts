import type { Cron } from '../../protocol/index.js';
import { ANONYMOUS } from '../../conversations/idempotency.js';

/** Converts a cron to the form that clients read. */
export function cronToWire(cron: Cron): Record<string, unknown> {
  return {
    cron_id: cron.cronId,
    assistant_id: cron.assistantId,
    thread_id: cron.threadId ?? null,
    ...(cron.threadId === undefined && { on_run_completed: cron.onRunCompleted }),
    user_id: cron.createdBy.id === ANONYMOUS ? null : cron.createdBy.id,
    schedule: cron.schedule,
    timezone: cron.timezone ?? null,
    end_time: cron.endTime?.toISOString() ?? null,
    enabled: cron.enabled,
    next_run_date: cron.nextRunAt?.toISOString() ?? null,
    payload: { ...cron.payload, assistant_id: cron.assistantId, schedule: cron.schedule },
    metadata: cron.metadata,
    schedule_options: {
      overlap: cron.options.overlap,
      catchup_window_seconds: cron.options.catchupWindowSeconds,
      jitter_seconds: cron.options.jitterSeconds,
    },
    created_at: cron.createdAt.toISOString(),
    updated_at: cron.updatedAt.toISOString(),
  };
}
