import {
  ColloquyError,
  errorCode,
  isEnded,
  type CancelAction,
  type Caller,
  type Run,
  ifFound,
} from '../protocol/index.js';
import type { RunCancelMany } from '../protocol/schemas/index.js';
import type { ConversationContext } from './context.js';
import { findRun, findThread } from './find.js';
import { endLostRuns } from './lost-runs.js';
import { mapLimited } from './map-limited.js';

/**
 * The reason that is stored with a cancelled run if the client has given the run's input to another
 * run. The client says so with `reason=taken`.
 */
const TAKEN = 'taken: its input was given to another run';

/**
 * Stops one run. `taken`: true if the input of this run was given to another run. If the run is
 * lost, because its conversation has ended without it, the run ends with the status `error`.
 */
export async function cancelRun(
  context: ConversationContext,
  caller: Caller,
  run: Run,
  { action, taken }: { action: CancelAction; taken: boolean },
): Promise<void> {
  if (taken) await context.threads.setCancelReason(caller, run.threadId, run.runId, TAKEN);
  await cancelOnThread(context, caller, [run], action);
}

/**
 * Stops the chosen runs of one thread or of all threads. Errors: `not_found` if the thread or a
 * named run does not exist; `conflict` if a run has not ended and its conversation has just started
 * or ended.
 */
export async function cancelRuns(
  context: ConversationContext,
  caller: Caller,
  chosen: RunCancelMany,
  action: CancelAction,
): Promise<void> {
  const runs = await chosenRuns(context, caller, chosen);
  await mapLimited(byThread(runs), (threadRuns) => cancelOnThread(context, caller, threadRuns, action));
}

/**
 * Stops a run whose client has disconnected. Returns at once; an error is reported and not thrown.
 */
export function cancelAbandoned(context: ConversationContext, caller: Caller, { threadId, runId }: Run): void {
  context.conversations.cancel(caller, threadId, { runIds: [runId], action: 'interrupt' }).catch((error: unknown) => {
    if (errorCode(error) !== 'not_found') context.report(error, `cancel of run ${runId} whose client went away`);
  });
}

/**
 * Returns the runs to stop: the named runs that have not ended, or all pending and running runs
 * with the given status.
 */
async function chosenRuns(context: ConversationContext, caller: Caller, chosen: RunCancelMany): Promise<Run[]> {
  const { thread_id: threadId, run_ids: runIds, status } = chosen;
  if (threadId && runIds) {
    const runs = await mapLimited(runIds, (runId) => findRun(context, caller, threadId, runId));
    return runs.filter((run) => !isEnded(run.status));
  }
  if (threadId) await findThread(context, caller, threadId);
  const active = threadId
    ? await context.threads.activeRuns(caller, threadId)
    : await context.threads.allActiveRuns(caller);
  return active.filter((run) => status === 'all' || run.status === status);
}

function byThread(runs: readonly Run[]): Run[][] {
  const threads = new Map<string, Run[]>();
  for (const run of runs) threads.set(run.threadId, [...(threads.get(run.threadId) ?? []), run]);
  return [...threads.values()];
}

/**
 * Stops runs of one thread. Ends runs that the conversation does not know, because an earlier
 * conversation of the thread was ended from outside. Errors: `conflict` if no conversation is
 * running and one of the runs has changed while it was to be ended.
 */
async function cancelOnThread(
  context: ConversationContext,
  caller: Caller,
  runs: readonly Run[],
  action: CancelAction,
): Promise<void> {
  const [first] = runs;
  if (first === undefined) return;
  const runIds = runs.map((run) => run.runId);
  const endLost = (named: string[]) => ifFound(endLostRuns(context, caller.tenant, first.threadId, { named }));
  try {
    const cancelled = await context.conversations.cancel(caller, first.threadId, { runIds, action });
    const unknown = runIds.filter((runId) => !cancelled.runIds.includes(runId));
    // A sweep ends these runs if this call fails.
    if (unknown.length > 0) await endLost(unknown).catch((error: unknown) => context.report(error, 'cancel'));
  } catch (error) {
    if (errorCode(error) !== 'not_found') throw error;
    await endLost(runIds);
    // The conversation may have ended in the meantime, together with these runs.
    const current = await mapLimited(runIds, (runId) => stillActive(context, caller, first.threadId, runId));
    const stuck = current.find((run) => run !== undefined);
    if (stuck === undefined) return;
    throw new ColloquyError('conflict', `run ${stuck.runId} is ${stuck.status} but its conversation is not running`, {
      cause: error,
    });
  }
}

async function stillActive(
  context: ConversationContext,
  caller: Caller,
  threadId: string,
  runId: string,
): Promise<Run | undefined> {
  const run = await ifFound(findRun(context, caller, threadId, runId));
  return run === undefined || isEnded(run.status) ? undefined : run;
}
