import { ApplicationFailure, ApplicationFailureCategory } from '@temporalio/common';
import { FilterAccess, OPEN_ACCESS, acceptRun, type RunOrder } from '../conversations/index.js';
import {
  errorCode,
  ifFound,
  isEnded,
  isRetryable,
  type Caller,
  type Cron,
  type DeriveId,
  type ErrorCode,
} from '../protocol/index.js';
import type { RunBody } from '../protocol/schemas/index.js';
import { describeError } from '../steps/index.js';
import type { CronActivities, FireCronTask, FiredRun } from '../workflows/contract.js';
import { workerCaller, type ActivityDependencies } from './deps.js';
import { createFailure } from './failures.js';

/**
 * If the run of a firing is refused with one of these error codes, the firing starts no run and
 * counts as skipped.
 */
const SKIPPED: readonly ErrorCode[] = ['conflict', 'queue_full', 'thread_closed'];
/**
 * Error codes that a repeated attempt may get although an earlier attempt has already accepted the
 * run.
 */
const TAKEN: readonly ErrorCode[] = ['conflict', 'not_found'];

/** Returns the activities that the workflow `cron` calls. */
export function createCronActivities({ conversations }: Pick<ActivityDependencies, 'conversations'>): CronActivities {
  const { threads, crons, schedules, deriveId } = conversations;

  async function findCron({ tenant, cronId }: FireCronTask): Promise<Cron | undefined> {
    const found = crons.getCron(workerCaller(tenant), cronId, { shownOnly: false });
    return ifFound(found);
  }

  async function noteNext(cron: Cron): Promise<void> {
    const caller = workerCaller(cron.tenant);
    await crons.noteNextRun(caller, cron.cronId, await schedules.next(caller, cron));
  }

  async function fire(order: RunOrder): Promise<FiredRun> {
    try {
      const { run, admit, bound } = await acceptRun(conversations, order);
      await Promise.all([admit?.(), bound]);
      return { threadId: run.threadId, runId: run.runId };
    } catch (error) {
      const code = errorCode(error);
      if (code === undefined || isRetryable(code)) throw error;
      // If the run exists, an earlier attempt has accepted it, so the firing has succeeded. This
      // attempt failed because the cron was changed since then (`conflict`), or because the cron's
      // filters no longer match the thread or the assistant (`not_found`).
      if (TAKEN.includes(code) && (await statusOf(order.caller, order)) !== 'gone') return firedRunOf(order);
      const { message } = error as Error;
      if (SKIPPED.includes(code)) return { refused: message };
      throw createFailure(describeError(error), error, { type: code, nonRetryable: true });
    }
  }

  async function statusOf(caller: Caller, { threadId, runId }: { threadId: string; runId: string }) {
    const found = threads.getRun(caller, threadId, runId, { admittedOnly: false });
    return (await ifFound(found))?.status ?? 'gone';
  }

  return {
    async fireCron(task) {
      const cron = await findCron(task);
      if (cron === undefined) {
        await schedules.remove(workerCaller(task.tenant), task.cronId);
        return { refused: `cron ${task.cronId} does not exist; its schedule is removed` };
      }
      const fired = await fire(orderOf(cron, task, deriveId));
      // The stored time of the next firing is only for display, so an error is ignored. If the
      // stored time is in the past, readers ask the Temporal Schedule for the true time.
      await noteNext(cron).catch(() => undefined);
      return fired;
    },

    async awaitScheduledRun({ tenant, threadId, runId }) {
      const status = await statusOf(workerCaller(tenant), { threadId, runId });
      if (status === 'gone' || isEnded(status)) return status;
      throw ApplicationFailure.create({
        message: `run ${runId} is ${status}`,
        type: 'RunNotEnded',
        category: ApplicationFailureCategory.BENIGN,
      });
    },

    async cancelScheduledRun({ tenant, threadId, runId }) {
      const cancelling = conversations.conversations.cancel(workerCaller(tenant), threadId, {
        runIds: [runId],
        action: 'interrupt',
      });
      await ifFound(cancelling);
    },
  };
}

/**
 * Returns the order with which {@link acceptRun} starts the run of a firing. The order's caller is
 * the service `cron`, on behalf of the cron's creator. The run id is derived from the cron id and
 * the scheduled time, so a repeated attempt finds the run that an earlier attempt has stored.
 */
function orderOf(cron: Cron, { scheduledAt }: FireCronTask, deriveId: DeriveId): RunOrder {
  const { tenant, cronId, createdBy } = cron;
  const caller: Caller = { tenant, principal: { kind: 'service', id: 'cron' }, onBehalfOf: [createdBy] };
  const runId = deriveId(caller, 'firing', cronId, scheduledAt);
  const stateless = cron.threadId === undefined;
  return {
    caller,
    threadId: cron.threadId ?? runId,
    runId,
    key: `cron/${cronId}/${scheduledAt}`,
    stateless,
    access: cron.filters ? new FilterAccess(cron.filters) : OPEN_ACCESS,
    body: {
      ...cron.payload,
      assistant_id: cron.assistantId,
      metadata: { ...cron.metadata, cron_id: cron.cronId },
      ...(stateless && { on_completion: cron.onRunCompleted }),
    } as RunBody,
  };
}

function firedRunOf({ threadId, runId }: RunOrder): FiredRun {
  return { threadId, runId };
}
