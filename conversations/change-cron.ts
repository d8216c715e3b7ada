import { NOTHING_REQUIRED, errorCode, type Caller, type Cron, ifFound } from '../protocol/index.js';
import type { CronFilter, CronPatch, NewCron } from '../threads/index.js';
import type { ConversationContext } from './context.js';
import { orNotFound } from './find.js';

/**
 * Changes of crons: the record first, then the Schedule, then the record says that both agree. Where this process dies, or a server is away,
 * between two of them, {@link sweepCrons} of any process finishes it.
 */

const SWEEP_INTERVAL_MS = 60_000;
/** A change that is older has nobody at work on it any more. */
const UNSETTLED_MS = 60_000;
const PAGE = 100;

export function cronNotFound(cronId: string): string {
  return `Cron not found: ${cronId}`;
}

/** Errors: `invalid_argument`, `unavailable`; then there is no cron. */
export async function createCron(context: ConversationContext, caller: Caller, cron: NewCron): Promise<Cron> {
  const made = await context.crons.createCron(caller, cron);
  try {
    return await settle(context, caller, made);
  } catch (error) {
    // A Schedule that was made nevertheless removes itself when it fires and finds no cron.
    await context.crons.closeCron(caller, made.cronId).catch(() => undefined);
    await finishDeletion(context, caller, made.cronId).catch(() => undefined);
    throw error;
  }
}

/** Errors: `not_found`, `invalid_argument`; `unavailable`: the change may come later. */
export async function updateCron(
  context: ConversationContext,
  caller: Caller,
  before: Cron,
  patch: CronPatch,
): Promise<Cron> {
  const { cronId } = before;
  const changed = await orNotFound(context.crons.updateCron(caller, cronId, patch), cronNotFound(cronId));
  try {
    return await settle(context, caller, changed);
  } catch (error) {
    if (errorCode(error) === 'invalid_argument') await takeBack(context, caller, before);
    throw error;
  }
}

/** Errors: `not_found`; `unavailable`: it fires no more runs, and deleting it again goes on. */
export async function deleteCron(context: ConversationContext, caller: Caller, cronId: string): Promise<void> {
  await orNotFound(context.crons.closeCron(caller, cronId), cronNotFound(cronId));
  await finishDeletion(context, caller, cronId);
}

/** Deletes the crons of a thread or an assistant, which go with it. */
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

/** Brings the Schedule to the newest revision: of two changes at once the later record wins, whoever reaches the Schedule last. */
async function settle(context: ConversationContext, caller: Caller, changed: Cron): Promise<Cron> {
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

/** What the Schedule refused is not left in the record. */
async function takeBack(context: ConversationContext, caller: Caller, before: Cron): Promise<void> {
  const { cronId, schedule, timezone = null, endTime = null, enabled } = before;
  const back = await context.crons.updateCron(caller, cronId, { schedule, timezone, endTime, enabled });
  await settle(context, caller, back);
}

/** Finishes changes that nobody is at work on any more. Answers how many. */
export async function sweepCrons(context: ConversationContext, caller: Caller, before: Date): Promise<number> {
  const unsettled = await context.crons.unsettledCrons(caller, before, PAGE);
  for (const { cronId, change } of unsettled) {
    if (change === 'update') await settleAgain(context, caller, cronId);
    // Whoever asked for a cron that is still being made had no answer; it is not kept behind their back.
    else await abandon(context, caller, cronId);
  }
  return unsettled.length;
}

async function settleAgain(context: ConversationContext, caller: Caller, cronId: string): Promise<void> {
  const cron = await ifFound(context.crons.getCron(caller, cronId));
  if (cron !== undefined) await ifFound(settle(context, caller, cron));
}

async function abandon(context: ConversationContext, caller: Caller, cronId: string): Promise<void> {
  await ifFound(deleteCron(context, caller, cronId));
}

/** Sweeps a tenant from time to time until it is stopped. Any number of processes may do so at once. */
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
