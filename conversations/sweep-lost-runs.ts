import { errorCode, type Caller } from '../protocol/index.js';
import type { UnchangedRun } from '../threads/index.js';
import type { ConversationContext } from './context.js';
import { endLostRuns } from './lost-runs.js';
import { mapLimited } from './map-limited.js';

const SWEEP_INTERVAL_MS = 5_000;
/**
 * Time for which a run must not have changed before it is checked, in ms. Most runs end earlier, so
 * they cost no check.
 */
const UNCHANGED_MS = 5_000;
/**
 * Shortest and longest time between two checks of a thread, in ms. The time grows with the age of
 * its runs, because a check of an open conversation asks a worker. A run that waits, such as one
 * that is delayed for days, is checked less often than one that works.
 */
const RECHECK_MS = { least: 5_000, working: 60_000, waiting: 600_000 };

interface LostRunSweepOptions {
  /** Time between two sweeps, in ms. Default: five seconds. */
  intervalMs?: number;
}

/**
 * Starts to look for lost runs of a tenant at an interval, and ends them. The returned `stop` ends
 * the sweeps. Several processes may sweep the same tenant at the same time.
 */
export function startLostRunSweeper(
  context: ConversationContext,
  caller: Caller,
  { intervalMs = SWEEP_INTERVAL_MS }: LostRunSweepOptions = {},
): { stop(): Promise<void> } {
  const checks = new ThreadChecks(context, caller);
  let sweeping: Promise<unknown> | undefined;
  const timer = setInterval(() => {
    sweeping ??= checks
      .sweep()
      .catch((error: unknown) => context.report(error, 'sweep of lost runs'))
      .finally(() => (sweeping = undefined));
  }, intervalMs);
  return {
    async stop() {
      clearInterval(timer);
      await sweeping;
    },
  };
}

/** Remembers when each thread with an active run is checked next. */
class ThreadChecks {
  /** Time of the next check in ms since the epoch, by thread id. */
  #nextAt = new Map<string, number>();

  constructor(
    private readonly context: ConversationContext,
    private readonly caller: Caller,
  ) {}

  async sweep(): Promise<void> {
    const now = Date.now();
    const unchanged = await this.context.threads.unchangedRuns(this.caller, new Date(now - UNCHANGED_MS));
    const threads = [...byThread(unchanged)];
    this.#nextAt = new Map(threads.map(([threadId]) => [threadId, this.#nextAt.get(threadId) ?? now]));
    const due = threads.filter(([threadId]) => (this.#nextAt.get(threadId) ?? now) <= now);
    let isAnswered = true;
    await mapLimited(due, async ([threadId, runs]) => {
      // If Temporal or the workers do not answer, further calls would only wait for their timeout.
      if (!isAnswered || this.context.shutdown.aborted) return;
      isAnswered = await this.#check(threadId, runs, now);
    });
  }

  /** Checks one thread. Returns false if Temporal or a worker did not answer. */
  async #check(threadId: string, runs: readonly UnchangedRun[], now: number): Promise<boolean> {
    this.#nextAt.set(threadId, now + pauseAfter(runs, now));
    try {
      await endLostRuns(this.context, this.caller.tenant, threadId);
      return true;
    } catch (error) {
      if (this.context.shutdown.aborted) return false;
      const isUnavailable = errorCode(error) === 'unavailable';
      if (isUnavailable) this.#nextAt.set(threadId, now + RECHECK_MS.working);
      // `not_found`: the thread was deleted in the meantime.
      else if (errorCode(error) !== 'not_found') this.context.report(error, `check of thread ${threadId}`);
      return !isUnavailable;
    }
  }
}

function byThread(runs: readonly UnchangedRun[]): Map<string, UnchangedRun[]> {
  const threads = new Map<string, UnchangedRun[]>();
  for (const run of runs) {
    const known = threads.get(run.threadId);
    if (known === undefined) threads.set(run.threadId, [run]);
    else known.push(run);
  }
  return threads;
}

/** Returns the time in ms until the next check of a thread with these runs. */
function pauseAfter(runs: readonly UnchangedRun[], now: number): number {
  const working = runs.filter(({ status }) => status === 'running');
  const longest = working.length > 0 ? RECHECK_MS.working : RECHECK_MS.waiting;
  const changedAt = Math.max(...(working.length > 0 ? working : runs).map(({ updatedAt }) => updatedAt.getTime()));
  return Math.min(Math.max(now - changedAt, RECHECK_MS.least), longest);
}
