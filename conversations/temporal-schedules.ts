import { ScheduleAlreadyRunning, ScheduleNotFoundError, type Client } from '@temporalio/client';
import { msToTs } from '@temporalio/common/lib/time.js';
import {
  ColloquyError,
  cronScheduleId,
  readCronExpression,
  type Caller,
  type Cron,
  type OverlapPolicy,
} from '../protocol/index.js';
import { CRON_WORKFLOW, SEARCH_ATTRIBUTES, oneLine, type CronInput } from '../workflows/contract.js';
import type { BackfillPeriod, Schedules } from './ports.js';
import { hasGrpcCause } from './temporal-conversations.js';

interface TemporalSchedulesOptions {
  client: Client;
  taskQueue: string;
  timeoutMs: number;
}

export function createSchedules({ client, taskQueue, timeoutMs }: TemporalSchedulesOptions): Schedules {
  const handleOf = (tenant: string, cronId: string) => client.schedule.getHandle(cronScheduleId(tenant, cronId));

  async function within<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await client.withDeadline(Date.now() + timeoutMs, call);
    } catch (error) {
      throw scheduleError(error);
    }
  }

  async function put({ tenant }: Caller, cron: Cron): Promise<void> {
    const wanted = definition(cron, taskQueue);
    try {
      await handleOf(tenant, cron.cronId).update(() => wanted);
    } catch (error) {
      if (!(error instanceof ScheduleNotFoundError)) throw error;
      await client.schedule.create({ scheduleId: cronScheduleId(tenant, cron.cronId), ...wanted });
    }
  }

  async function next({ tenant }: Caller, cron: Cron): Promise<Date | undefined> {
    if (!cron.enabled) return undefined;
    try {
      const { info } = await handleOf(tenant, cron.cronId).describe();
      return info.nextActionTimes[0];
    } catch (error) {
      if (error instanceof ScheduleNotFoundError) return undefined;
      throw error;
    }
  }

  return {
    next: (caller, cron) => within(() => next(caller, cron)),

    put: (caller, cron) =>
      within(async () => {
        await put(caller, cron).catch((error: unknown) => {
          // Another process created the Schedule between our `update` and our `create`.
          if (error instanceof ScheduleAlreadyRunning) return put(caller, cron);
          throw specificationError(error);
        });
        return next(caller, cron);
      }),

    remove: ({ tenant }, cronId) =>
      within(async () => {
        await handleOf(tenant, cronId)
          .delete()
          .catch((error: unknown) => {
            if (!(error instanceof ScheduleNotFoundError)) throw error;
          });
      }),

    backfill: ({ tenant }, cron, period) =>
      within(async () => {
        await checkPeriod(client, tenant, cron, period);
        const { start, end, overlap = cron.options.overlap } = period;
        await handleOf(tenant, cron.cronId).backfill({ start, end, overlap: POLICIES[overlap] });
      }),
  };
}

/**
 * A period with this many scheduled times or more is too long for a backfill. Temporal lists at
 * most this many times of a period, so a higher limit could not be checked.
 */
const MAX_BACKFILLED = 1_000;

/**
 * Checks that the period of a backfill has fewer than `MAX_BACKFILLED` scheduled times. A longer
 * backfill would keep Temporal's scheduler busy for hours, and nobody could stop it. Errors:
 * `invalid_argument`.
 */
async function checkPeriod(client: Client, tenant: string, cron: Cron, { start, end }: BackfillPeriod): Promise<void> {
  const { startTime: times } = await client.connection.workflowService.listScheduleMatchingTimes({
    namespace: client.options.namespace,
    scheduleId: cronScheduleId(tenant, cron.cronId),
    startTime: msToTs(start.getTime()),
    endTime: msToTs(end.getTime()),
  });
  if (times.length < MAX_BACKFILLED) return;
  const period = `${start.toISOString()} to ${end.toISOString()}`;
  const problem = `end: ${period} has ${MAX_BACKFILLED} scheduled times or more; backfill it in parts`;
  throw new ColloquyError('invalid_argument', problem, { field: 'end' });
}

const POLICIES = {
  allow_all: 'ALLOW_ALL',
  skip: 'SKIP',
  buffer_one: 'BUFFER_ONE',
  buffer_all: 'BUFFER_ALL',
  cancel_other: 'CANCEL_OTHER',
} as const satisfies Record<OverlapPolicy, string>;

/**
 * Returns the definition of a cron's Schedule in Temporal. It contains the times at which the cron
 * fires, and the tenant and id of the cron. It does not contain the `payload` of the runs, such as
 * their input: each firing reads the payload from the cron's record.
 */
function definition(cron: Cron, taskQueue: string) {
  const { tenant, cronId, options } = cron;
  const times = readCronExpression(cron.schedule);
  const keyword = (name: string, value: string) => ({ key: { name, type: 'KEYWORD' as const }, value });
  const args: [CronInput] = [{ tenant, cronId }];
  return {
    spec: {
      ...('everySeconds' in times
        ? { intervals: [{ every: times.everySeconds * 1_000 }] }
        : { cronExpressions: times.expressions }),
      timezone: cron.timezone ?? 'UTC',
      ...(cron.endTime !== undefined && { endAt: cron.endTime }),
      jitter: options.jitterSeconds * 1_000,
    },
    action: {
      type: 'startWorkflow' as const,
      workflowType: CRON_WORKFLOW,
      workflowId: cronScheduleId(tenant, cronId),
      taskQueue,
      args,
      staticSummary: oneLine(`cron ${cron.schedule}`),
      typedSearchAttributes: [
        keyword(SEARCH_ATTRIBUTES.tenant, tenant),
        keyword(SEARCH_ATTRIBUTES.assistant, cron.assistantId),
      ],
    },
    policies: { overlap: POLICIES[options.overlap], catchupWindow: options.catchupWindowSeconds * 1_000 },
    state: { paused: !cron.enabled, note: cron.enabled ? 'enabled' : 'not enabled' },
  };
}

/**
 * Converts a `TypeError` to a `ColloquyError`, because Temporal's client throws a plain `TypeError`
 * if the specification of a Schedule is invalid. Returns any other error unchanged.
 */
function specificationError(error: unknown): unknown {
  if (!(error instanceof TypeError)) return error;
  return new ColloquyError('invalid_argument', `the schedule is not accepted: ${error.message}`, { cause: error });
}

function scheduleError(error: unknown): unknown {
  if (error instanceof ScheduleNotFoundError) {
    return new ColloquyError('not_found', `there is no schedule ${error.scheduleId}`, { cause: error });
  }
  if (hasGrpcCause(error)) {
    return new ColloquyError('unavailable', 'the scheduler did not answer in time; try again', {
      cause: error,
      retryAfterMs: 1_000,
    });
  }
  return error;
}
