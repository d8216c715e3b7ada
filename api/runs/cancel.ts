import type { Router } from 'express';
import { cancelRun, cancelRuns } from '../../conversations/cancel-runs.js';
import { isEnded } from '../../protocol/index.js';
import { runCancelMany, runCancelManyQuery, runCancelQuery } from '../../protocol/schemas/index.js';
import { callerOf, type ApiContext } from '../context.js';
import { bodyOf, pathId } from '../http/params.js';
import { createRouter } from '../http/router.js';
import { attachKnown, awaitEnd } from './follow.js';
import { parse } from '../http/validate.js';

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
    await cancelRun(context, caller, attachment.run, { action: query.action, taken: query.reason !== undefined });
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
    await cancelRuns(context, callerOf(res), parse(runCancelMany, bodyOf(req), 'request body'), action);
    res.status(204).end();
  });

  return router;
}
