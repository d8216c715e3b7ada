import { errorCode, type Caller, type ThreadTtl } from '../protocol/index.js';
import type { ThinningPolicy } from '../threads/index.js';
import type { ConversationContext } from './context.js';
import { deleteThread, sweepStateless } from './delete-thread.js';

const SWEEP_INTERVAL_MS = 60_000;
/** A client that lost its connection has so long to come back for the answer of a stateless run. */
const STATELESS_KEPT_MS = 600_000;
/** A deletion that has taken so long was cut off: whoever began it is gone. */
const CUT_OFF_MS = 600_000;
const SWEEP_PAGE = 100;
/** A history is read whole to be thinned, so one sweep takes few; the next takes the next ones. */
const THINNED_AT_ONCE = 100;

export interface SweepOptions {
  /** Default: a minute. */
  intervalMs?: number;
  /** What of the history of threads is kept; none: everything. */
  keep?: ThinningPolicy;
}

/** Sweeps a tenant from time to time until it is stopped. Any number of processes may do so at once. */
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
  for (let seen = SWEEP_PAGE; seen === SWEEP_PAGE; ) {
    seen = await sweepDue(context, caller, new Date()).catch((error: unknown) => (report(error), 0));
  }
  if (keep !== undefined) await thinDue(context, caller, keep, new Date()).catch(report);
}

/** Thins the histories that are due, up to some; answers of how many. */
export async function thinDue(
  context: ConversationContext,
  caller: Caller,
  keep: ThinningPolicy,
  now: Date,
): Promise<number> {
  let thinned = 0;
  for (const thread of await context.threads.thinnableThreads(caller, { now, limit: THINNED_AT_ONCE })) {
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
 * Sees to threads whose time is over: they go, or their older checkpoints do. One with a run that waits or works is left until the run has
 * ended. Goes on with deletions that were cut off. Answers how many it has seen to.
 */
export async function sweepDue(context: ConversationContext, caller: Caller, now: Date): Promise<number> {
  const closed = new Date(now.getTime() - CUT_OFF_MS);
  const due = await context.threads.dueThreads(caller, { expired: now, closed, limit: SWEEP_PAGE });
  let seen = 0;
  for (const { threadId, isClosed, ttl } of due) {
    try {
      if (isClosed || ttl === undefined) await deleteThread(context, caller, threadId);
      else if (await isActive(context, caller, threadId)) continue;
      else await expire(context, caller, threadId, ttl);
      seen += 1;
    } catch (error) {
      // Another process may have been quicker.
      if (errorCode(error) !== 'not_found') context.report(error, `sweep of thread ${threadId}`);
    }
  }
  return seen;
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
