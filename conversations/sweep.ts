import { errorCode, type Caller, type ThreadTtl } from '../protocol/index.js';
import type { ThinningPolicy } from '../threads/index.js';
import type { ConversationContext } from './context.js';
import { deleteThread, sweepStateless } from './delete-thread.js';

const SWEEP_INTERVAL_MS = 60_000;
/**
 * Time for which the thread of a stateless run is kept after the run has ended, in ms. During this
 * time, a client that lost its connection can still fetch the run's result.
 */
const STATELESS_KEPT_MS = 600_000;
/**
 * Time after which a deletion that has not finished counts as interrupted, in ms. A deletion takes
 * less time than this, so the process that ran it must have ended.
 */
const INTERRUPTED_DELETION_MS = 600_000;
const SWEEP_PAGE = 100;
/**
 * Maximum number of threads that one sweep thins, which means that it removes their older
 * checkpoints. Thinning reads the whole history of a thread, so further threads wait for the next
 * sweep.
 */
const THINNING_BATCH = 100;

interface SweepOptions {
  /** Time between two sweeps, in ms. Default: one minute. */
  intervalMs?: number;
  /**
   * Policy that says which older checkpoints of a thread are kept. A sweep removes the others
   * (thinning). Default: all checkpoints are kept.
   */
  keep?: ThinningPolicy;
}

/**
 * Starts to sweep the threads of a tenant at an interval. A sweep deletes the threads of stateless
 * runs that ended some time ago, deletes or prunes expired threads, and finishes interrupted
 * deletions. If `keep` is set, a sweep also removes older checkpoints. The returned `stop` ends the
 * sweeps. Several processes may sweep the same tenant at the same time.
 */
export function startSweeper(
  context: ConversationContext,
  caller: Caller,
  { intervalMs = SWEEP_INTERVAL_MS, keep }: SweepOptions = {},
): { stop(): Promise<void> } {
  let sweeping: Promise<unknown> | undefined;
  const timer = setInterval(() => {
    sweeping ??= sweep(context, caller, keep).finally(() => (sweeping = undefined));
  }, intervalMs);
  return {
    async stop() {
      clearInterval(timer);
      await sweeping;
    },
  };
}

async function sweep(context: ConversationContext, caller: Caller, keep: ThinningPolicy | undefined): Promise<void> {
  const report = (error: unknown) => context.report(error, 'sweep of threads');
  await sweepStateless(context, caller, new Date(Date.now() - STATELESS_KEPT_MS)).catch(report);
  for (let handled = SWEEP_PAGE; handled === SWEEP_PAGE; ) {
    handled = await sweepDue(context, caller, new Date()).catch((error: unknown) => (report(error), 0));
  }
  if (keep !== undefined) await thinDue(context, caller, keep, new Date()).catch(report);
}

/**
 * Removes older checkpoints of up to `THINNING_BATCH` threads whose history is due for thinning.
 * Returns the number of threads that were thinned.
 */
async function thinDue(context: ConversationContext, caller: Caller, keep: ThinningPolicy, now: Date): Promise<number> {
  let thinned = 0;
  for (const thread of await context.threads.thinnableThreads(caller, { now, limit: THINNING_BATCH })) {
    if (context.shutdown.aborted) break;
    try {
      if (await context.threads.thinThread(caller, thread, keep, now)) thinned += 1;
    } catch (error) {
      context.report(error, `thinning of thread ${thread.threadId}`);
    }
  }
  return thinned;
}

/**
 * Deletes or prunes up to `SWEEP_PAGE` expired threads, as the strategy of their time to live says.
 * Also finishes interrupted deletions. Leaves an expired thread with an active or waiting run
 * to a later sweep. Returns the number of threads that were deleted or pruned.
 */
export async function sweepDue(context: ConversationContext, caller: Caller, now: Date): Promise<number> {
  const closed = new Date(now.getTime() - INTERRUPTED_DELETION_MS);
  const due = await context.threads.dueThreads(caller, { expired: now, closed, limit: SWEEP_PAGE });
  let handled = 0;
  for (const { threadId, isClosed, ttl } of due) {
    try {
      if (isClosed || ttl === undefined) await deleteThread(context, caller, threadId);
      else if (await isActive(context, caller, threadId)) continue;
      else await expire(context, caller, threadId, ttl);
      handled += 1;
    } catch (error) {
      // `not_found` is no problem: another process has deleted the thread in the meantime.
      if (errorCode(error) !== 'not_found') context.report(error, `sweep of thread ${threadId}`);
    }
  }
  return handled;
}

async function expire(context: ConversationContext, caller: Caller, threadId: string, ttl: ThreadTtl): Promise<void> {
  if (ttl.strategy === 'delete') {
    await deleteThread(context, caller, threadId);
    return;
  }
  await context.threads.pruneThread(caller, threadId);
  await context.threads.updateThread(caller, threadId, { ttl });
}

async function isActive(context: ConversationContext, caller: Caller, threadId: string): Promise<boolean> {
  return (await context.threads.activeRuns(caller, threadId)).length > 0;
}
