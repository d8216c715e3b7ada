import { z } from 'zod';
import { OVERLAP_POLICIES } from '../cron.js';
import { isTimezone, readCronExpression } from '../cron-expression.js';
import { jsonObject, limit, offset, servedAs, sortOrder, uuid } from './common.js';
import { metadata, searchedMetadata } from './metadata.js';
import { threadRunInBackground } from './run.js';
import { name, names, text } from './text.js';

/**
 * Maximum length of a cron expression. One that lists every minute, hour, day and month has 450
 * characters.
 */
const MAX_SCHEDULE = 500;
const MAX_TIMEZONE = 100;

const schedule = text(MAX_SCHEDULE).superRefine((given, context) => {
  try {
    readCronExpression(given);
  } catch (error) {
    context.addIssue({ code: 'custom', message: (error as Error).message });
  }
});

const timezone = text(MAX_TIMEZONE).refine(isTimezone, 'expected the name of an IANA time zone, such as Europe/Berlin');

/**
 * A time. It may have a UTC offset such as `+01:00`. Without one it is in UTC, like a schedule
 * without a time zone.
 */
const moment = z.iso
  .datetime({ offset: true, local: true, abort: true })
  .transform((text) => new Date(/(Z|[+-]\d\d:?\d\d)$/i.test(text) ? text : `${text}Z`))
  .refine(isInYears, 'expected a time in the years 1 to 9999 of UTC');

/**
 * Returns whether the time is in the years 1 to 9999. ISO dates and Temporal's timestamps have this
 * range.
 */
function isInYears(time: Date): boolean {
  const year = time.getUTCFullYear();
  return year >= 1 && year <= 9999;
}

const MAX_CATCHUP_SECONDS = 366 * 86_400;
const MAX_JITTER_SECONDS = 86_400;

/**
 * Options for the cron's Schedule in Temporal. They are additions of Colloquy to LangGraph's API.
 * Temporal refuses a catch-up window under 10 s.
 */
const scheduleOptions = z.strictObject({
  overlap: z.enum(OVERLAP_POLICIES).nullish(),
  catchup_window_seconds: z.int().min(10).max(MAX_CATCHUP_SECONDS).nullish(),
  jitter_seconds: z.int().min(0).max(MAX_JITTER_SECONDS).nullish(),
});

/**
 * Fields of the cron that each firing passes to its run. They have the same schemas as in the body
 * of a background run.
 */
const payload = threadRunInBackground.pick({
  input: true,
  command: true,
  config: true,
  context: true,
  webhook: true,
  interrupt_before: true,
  interrupt_after: true,
  stream_mode: true,
  stream_subgraphs: true,
  stream_resumable: true,
  durability: true,
  checkpoint_during: true,
  multitask_strategy: true,
});

const onRunCompleted = z.enum(['delete', 'keep']);
const keepOnly = servedAs(['keep'], 'a thread outlives its runs; delete it by its id');

/** Body of `POST /runs/crons`: every firing creates a thread. */
export const cronCreate = payload.extend({
  assistant_id: name.min(1),
  schedule,
  timezone: timezone.nullish(),
  end_time: moment.nullish(),
  enabled: z.boolean().nullish(),
  on_run_completed: onRunCompleted.nullish(),
  metadata: metadata.nullish(),
  schedule_options: scheduleOptions.nullish(),
});

/** Body of `POST /threads/{id}/runs/crons`. */
export const threadCronCreate = cronCreate.extend({ on_run_completed: keepOnly });

/** Body of `PATCH /runs/crons/{id}`. An absent field stays unchanged; null clears a field. */
export const cronPatch = payload.extend({
  schedule: schedule.optional(),
  timezone: timezone.nullish(),
  end_time: moment.nullish(),
  enabled: z.boolean().optional(),
  on_run_completed: onRunCompleted.optional(),
  metadata: metadata.nullish(),
  schedule_options: scheduleOptions.nullish(),
});

export const threadCronPatch = cronPatch.extend({ on_run_completed: keepOnly });

export const cronCount = z.strictObject({
  assistant_id: name.min(1).nullish(),
  thread_id: uuid.nullish(),
  enabled: z.boolean().nullish(),
  metadata: searchedMetadata.nullish(),
});

export const cronSearch = cronCount.extend({
  limit: limit.nullish(),
  offset: offset.nullish(),
  sort_by: z.enum(['cron_id', 'assistant_id', 'thread_id', 'created_at', 'updated_at', 'next_run_date']).nullish(),
  sort_order: sortOrder.nullish(),
  select: names.nullish(),
});

/** Body of `POST /runs/crons/{id}/backfill`. */
export const cronBackfill = z
  .strictObject({ start: moment, end: moment, overlap: z.enum(OVERLAP_POLICIES).nullish() })
  .superRefine(({ start, end }, context) => {
    const fault = (field: string, message: string) => context.addIssue({ code: 'custom', path: [field], message });
    if (end.getTime() < start.getTime()) fault('end', 'expected a time not before start');
    if (end.getTime() > Date.now()) fault('end', 'expected a time in the past; the schedule fires future times itself');
  });

export type CronCreate = z.infer<typeof cronCreate>;
export type CronPatchBody = z.infer<typeof cronPatch>;
export type CronCountBody = z.infer<typeof cronCount>;

export const cronAnswer = z.object({
  cron_id: z.guid(),
  assistant_id: z.guid(),
  thread_id: z.guid().nullable(),
  on_run_completed: onRunCompleted.optional(),
  user_id: z.string().nullable(),
  schedule: z.string(),
  timezone: z.string().nullable(),
  end_time: z.iso.datetime().nullable(),
  enabled: z.boolean(),
  next_run_date: z.iso.datetime().nullable(),
  payload: jsonObject,
  metadata: jsonObject,
  schedule_options: z.object({
    overlap: z.enum(OVERLAP_POLICIES),
    catchup_window_seconds: z.int(),
    jitter_seconds: z.int(),
  }),
  created_at: z.iso.datetime(),
  updated_at: z.iso.datetime(),
});
