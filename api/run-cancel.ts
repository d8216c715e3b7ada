import type { Router } from 'express';
import { ColloquyError, errorCode, isEnded, type CancelAction, type Caller, type Run } from '../protocol/index.js';
import { runCancelMany, runCancelManyQuery, runCancelQuery, type RunCancelMany } from '../protocol/schemas/index.js';
import { callerOf, type ApiContext } from './context.js';
import { findRun, findThread } from '../conversations/find.js';
import { inChunks } from '../conversations/in-chunks.js';
import { bodyOf, pathId } from './params.js';
import { createRouter } from './router.js';
import { attachKnown, awaitEnd } from './run-stream.js';
import { parse } from './validate.js';

/** What a run says of a cancellation whose reason is `taken`. */
const TAKEN = 'taken: its input was given to another run';

/** A run that has not begun has nothing to stop: whoever cancels it finds it ended. */
const PENDING_ENDS_WITHIN_MS = 1_000;

/** Stops runs, one or many. */
export function runCancelRoutes(context: ApiContext): Router {
  const router = createRouter();

  router.post('/threads/:thread_id/runs/:run_id/cancel', async (req, res) => {
    const query = parse(runCancelQuery, req.query, 'query');
    const place = { threadId: pathId(req, 'thread_id'), runId: pathId(req, 'run_id') };
    const caller = callerOf(res);
    const attachment = await attachKnown(context, caller, place, { cancelOnDisconnect: false });
    if (isEnded(attachment.run.status)) {
      res.status(query.wait ? 204 : 202).end();
      return;
    }
    if (query.reason) await context.threads.setCancelReason(caller, place.threadId, place.runId, TAKEN);
    await cancelRuns(context, caller, [attachment.run], query.action);
    const ended =
      query.wait || attachment.run.status === 'pending' ? awaitEnd(context, caller, res, attachment) : undefined;
    if (query.wait && !(await ended)) {
      res.destroy();
      return;
    }
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, PENDING_ENDS_WITHIN_MS).unref())]);
    res.status(query.wait ? 204 : 202).end();
  });

  router.post('/runs/cancel', async (req, res) => {
    const { action } = parse(runCancelManyQuery, req.query, 'query');
    const caller = callerOf(res);
    const runs = await chosenRuns(context, caller, parse(runCancelMany, bodyOf(req), 'request body'));
    await inChunks(byThread(runs), (ofThread) => cancelRuns(context, caller, ofThread, action));
    res.status(204).end();
  });

  return router;
}

/** Those named, or those that stand so; of a thread, or of all. Errors: `not_found`, naming the thread or the run. */
async function chosenRuns(context: ApiContext, caller: Caller, chosen: RunCancelMany): Promise<Run[]> {
  const { thread_id: threadId, run_ids: runIds, status } = chosen;
  if (threadId && runIds) {
    const runs = await inChunks(runIds, (runId) => findRun(context, caller, threadId, runId));
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

/** Errors: `conflict` when the conversation of runs that have not ended is gone. */
async function cancelRuns(
  context: ApiContext,
  caller: Caller,
  runs: readonly Run[],
  action: CancelAction,
): Promise<void> {
  const [first] = runs;
  if (first === undefined) return;
  const runIds = runs.map((run) => run.runId);
  try {
    await context.conversations.cancel(caller, first.threadId, { runIds, action });
  } catch (error) {
    if (errorCode(error) !== 'not_found') throw error;
    // It may have come to its end by itself in the meantime.
    const now = await inChunks(runIds, (runId) => stillActive(context, caller, first.threadId, runId));
    const stuck = now.find((run) => run !== undefined);
    if (stuck === undefined) return;
    throw new ColloquyError('conflict', `run ${stuck.runId} is ${stuck.status} but its conversation is not running`, {
      cause: error,
    });
  }
}

async function stillActive(
  context: ApiContext,
  caller: Caller,
  threadId: string,
  runId: string,
): Promise<Run | undefined> {
  try {
    const run = await findRun(context, caller, threadId, runId);
    return isEnded(run.status) ? undefined : run;
  } catch (error) {
    if (errorCode(error) === 'not_found') return undefined;
    throw error;
  }
}
