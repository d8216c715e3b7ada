import { NOTHING_REQUIRED, errorCode, type Caller, type Cron, ifFound } from '../protocol/index.js';
import type { CronFilter, CronPatch, NewCron } from '../threads/index.js';
import type { ConversationContext } from './context.js';
import { orNotFound } from './find.js';

/**
 * How a cron is created or updated: first its record is written, then its Schedule in Temporal.
 * Then the record is marked as settled, which means that the two agree. A deletion hides the
 * record, removes the Schedule, and then removes the record. If this process dies before the last
 * step, or if a server does not answer, {@link sweepCrons} in any process continues. It completes
 * updates and deletions, and deletes a cron whose creation was not completed.
 */

const SWEEP_INTERVAL_MS = 60_000;
/** Time in ms after which a sweep completes a change that is still not settled. */
const UNSETTLED_MS = 60_000;
const PAGE = 100;

export function cronNotFound(cronId: string): string {
  return `Cron not found: ${cronId}`;
}

/**
 * Creates a cron. Errors: `invalid_argument`, `unavailable`. After an error the cron does not
 * exist.
 */
export async function createCron(context: ConversationContext, caller: Caller, cron: NewCron): Promise<Cron> {
  const created = await context.crons.createCron(caller, cron);
  try {
    return await settleSchedule(context, caller, created);
  } catch (error) {
    // The Schedule may exist in spite of the error. If it cannot be removed here, its next firing
    // finds no cron and removes it.
    await context.crons.closeCron(caller, created.cronId).catch(() => undefined);
    await finishDeletion(context, caller, created.cronId).catch(() => undefined);
    throw error;
  }
}

/**
 * Changes a cron. Errors: `not_found`, `invalid_argument`, `unavailable`. After `unavailable` the
 * change may still take effect.
 */
export async function updateCron(
  context: ConversationContext,
  caller: Caller,
  before: Cron,
  patch: CronPatch,
): Promise<Cron> {
  const { cronId } = before;
  const changed = await orNotFound(context.crons.updateCron(caller, cronId, patch), cronNotFound(cronId));
  try {
    return await settleSchedule(context, caller, changed);
  } catch (error) {
    if (errorCode(error) === 'invalid_argument') await revertChange(context, caller, before);
    throw error;
  }
}

/**
 * Deletes a cron. Errors: `not_found`; `unavailable`. After `unavailable` the cron starts no more
 * runs, and a repeated request continues the deletion.
 */
export async function deleteCron(context: ConversationContext, caller: Caller, cronId: string): Promise<void> {
  await orNotFound(context.crons.closeCron(caller, cronId), cronNotFound(cronId));
  await finishDeletion(context, caller, cronId);
}

/** Deletes the crons of a thread or an assistant that is being deleted. */
export async function deleteCronsOf(
  context: ConversationContext,
  caller: Caller,
  owner: Pick<CronFilter, 'threadId' | 'assistantId'>,
): Promise<void> {
  for (;;) {
    const crons = await context.crons.searchCrons(caller, {
      ...owner,
      required: NOTHING_REQUIRED,
      limit: PAGE,
      offset: 0,
    });
    for (const { cronId } of crons) await deleteCron(context, caller, cronId);
    if (crons.length < PAGE) return;
  }
}

async function finishDeletion(context: ConversationContext, caller: Caller, cronId: string): Promise<void> {
  await context.schedules.remove(caller, cronId);
  await context.crons.removeCron(caller, cronId);
}

/**
 * Updates the Schedule until it agrees with the newest revision of the cron, and marks that
 * revision as settled. After two concurrent changes the Schedule therefore has the change that was
 * stored last, even if that change reached Temporal first. Returns the cron with its next firing
 * time.
 */
async function settleSchedule(context: ConversationContext, caller: Caller, changed: Cron): Promise<Cron> {
  let cron = changed;
  for (;;) {
    const next = await context.schedules.put(caller, cron);
    if (await context.crons.settleCron(caller, cron.cronId, cron.rev, next)) {
      const { nextRunAt: _stale, ...fields } = cron;
      return { ...fields, ...(next !== undefined && { nextRunAt: next }) };
    }
    const found = context.crons.getCron(caller, cron.cronId, { shownOnly: false });
    cron = await orNotFound(found, cronNotFound(cron.cronId));
  }
}

/** Restores the record of a cron after a change that the Schedule did not accept. */
async function revertChange(context: ConversationContext, caller: Caller, before: Cron): Promise<void> {
  const { cronId, schedule, timezone = null, endTime = null, enabled } = before;
  const reverted = await context.crons.updateCron(caller, cronId, { schedule, timezone, endTime, enabled });
  await settleSchedule(context, caller, reverted);
}

/**
 * Finds changes of crons that a process began before the time `before` and did not complete.
 * Completes an update or a deletion. Deletes a cron whose creation was not completed. Returns the
 * number of these changes.
 */
export async function sweepCrons(context: ConversationContext, caller: Caller, before: Date): Promise<number> {
  const unsettled = await context.crons.unsettledCrons(caller, before, PAGE);
  for (const { cronId, change } of unsettled) {
    if (change === 'update') await settleAgain(context, caller, cronId);
    // A cron whose creation was not completed is deleted, because its creator got no answer.
    else await abandon(context, caller, cronId);
  }
  return unsettled.length;
}

async function settleAgain(context: ConversationContext, caller: Caller, cronId: string): Promise<void> {
  const cron = await ifFound(context.crons.getCron(caller, cronId));
  if (cron !== undefined) await ifFound(settleSchedule(context, caller, cron));
}

async function abandon(context: ConversationContext, caller: Caller, cronId: string): Promise<void> {
  await ifFound(deleteCron(context, caller, cronId));
}

/**
 * Sweeps the crons of a tenant at an interval until `stop` is called. Several processes may sweep
 * the same tenant at the same time.
 */
export function startCronSweeper(context: ConversationContext, caller: Caller): { stop(): Promise<void> } {
  let sweeping: Promise<unknown> | undefined;
  const timer = setInterval(() => {
    sweeping ??= sweepCrons(context, caller, new Date(Date.now() - UNSETTLED_MS))
      .catch((error: unknown) => context.report(error, 'sweep of crons'))
      .finally(() => (sweeping = undefined));
  }, SWEEP_INTERVAL_MS);
  return {
    async stop() {
      clearInterval(timer);
      await sweeping;
    },
  };
}
