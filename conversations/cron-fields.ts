import { DEFAULT_SCHEDULE_OPTIONS, withoutNulls, type ScheduleOptions } from '../protocol/index.js';
import type { CronCreate, CronPatchBody } from '../protocol/schemas/index.js';
import type { CronPatch, NewCron } from '../threads/index.js';

/** This file converts the body of a client's request to fields of a cron's record. */

export function newCron(
  body: CronCreate,
  target: Pick<NewCron, 'cronId' | 'assistantId' | 'threadId' | 'filters'>,
): NewCron {
  const { timezone, end_time: endTime } = body;
  return {
    ...target,
    schedule: body.schedule,
    ...(timezone && { timezone }),
    ...(endTime && { endTime }),
    enabled: body.enabled ?? true,
    onRunCompleted: target.threadId === undefined ? (body.on_run_completed ?? 'delete') : 'keep',
    payload: withoutNulls(payloadOf(body)),
    metadata: body.metadata ?? {},
    options: { ...DEFAULT_SCHEDULE_OPTIONS, ...withoutNulls(optionsOf(body.schedule_options)) },
  };
}

export function cronPatchOf(body: CronPatchBody): CronPatch {
  const { schedule, timezone, end_time: endTime, enabled, on_run_completed: onRunCompleted } = body;
  const { schedule_options: options } = body;
  return {
    ...(schedule !== undefined && { schedule }),
    ...(timezone !== undefined && { timezone }),
    ...(endTime !== undefined && { endTime }),
    ...(enabled !== undefined && { enabled }),
    ...(onRunCompleted !== undefined && { onRunCompleted }),
    payload: payloadOf(body),
    ...(body.metadata && { metadata: body.metadata }),
    ...(options !== undefined && { options: withDefaults(optionsOf(options ?? NO_OPTIONS)) }),
  };
}

const CRON_FIELDS = [
  'assistant_id',
  'schedule',
  'timezone',
  'end_time',
  'enabled',
  'on_run_completed',
  'metadata',
  'schedule_options',
];

/**
 * Returns the fields of the body that describe the runs of the cron: all fields except
 * `CRON_FIELDS`.
 */
function payloadOf(body: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(body).filter(([key, value]) => !CRON_FIELDS.includes(key) && value !== undefined),
  );
}

const NO_OPTIONS = { overlap: null, catchup_window_seconds: null, jitter_seconds: null };

type Nullable<T> = { [K in keyof T]?: T[K] | null };

function optionsOf(options: CronCreate['schedule_options']): Nullable<ScheduleOptions> {
  const { overlap, catchup_window_seconds: catchupWindowSeconds, jitter_seconds: jitterSeconds } = options ?? {};
  return {
    ...(overlap !== undefined && { overlap }),
    ...(catchupWindowSeconds !== undefined && { catchupWindowSeconds }),
    ...(jitterSeconds !== undefined && { jitterSeconds }),
  };
}

/** Replaces each option that is null by its default. A client sends null to reset an option. */
function withDefaults(options: Nullable<ScheduleOptions>): Partial<ScheduleOptions> {
  const cleared = Object.keys(options).filter((key) => options[key as keyof ScheduleOptions] === null);
  const defaults = Object.fromEntries(
    cleared.map((key) => [key, DEFAULT_SCHEDULE_OPTIONS[key as keyof ScheduleOptions]]),
  );
  return { ...withoutNulls(options), ...defaults };
}
