import { cancelRun, cancelRuns } from '../../conversations/cancel-runs.js';
import { isEnded } from '../../protocol/index.js';
import { runCancelMany, runCancelManyQuery, runCancelQuery } from '../../protocol/schemas/index.js';
import { aboutThread, threadInBody } from '../auth/rules.js';
import { route } from '../http/route.js';
import { attachKnown, awaitEnd } from './follow.js';

/**
 * How long the HTTP answer to a cancel request waits for the end of a pending run, in ms. A pending
 * run has no step that must stop first, so it should end within this time.
 */
const PENDING_ENDS_WITHIN_MS = 1_000;

export const cancelRoute = route({
  method: 'post',
  path: '/threads/:thread_id/runs/:run_id/cancel',
  group: 'runs',
  tag: 'Runs',
  summary: 'Stop a run',
  query: runCancelQuery,
  answers: { 202: 'nothing', 204: 'nothing' },
  refusals: [409],
  action: 'run.cancel',
  auth: aboutThread('threads:update'),
  async handle(context, { caller, access, params, query, res }) {
    const attachment = await attachKnown(context, caller, params.thread_id, params.run_id, {
      cancelOnDisconnect: false,
    });
    const { run } = attachment;
    if (isEnded(run.status)) {
      res.status(query.wait ? 204 : 202).end();
      return;
    }
    await cancelRun(context, caller, run, { action: query.action, taken: query.reason !== undefined });
    const ended =
      query.wait || run.status === 'pending' ? awaitEnd(context, { caller, access, res }, attachment) : undefined;
    if (query.wait && !(await ended)) {
      res.destroy();
      return;
    }
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, PENDING_ENDS_WITHIN_MS).unref())]);
    res.status(query.wait ? 204 : 202).end();
  },
});

export const cancelManyRoute = route({
  method: 'post',
  path: '/runs/cancel',
  group: 'runs',
  tag: 'Runs',
  summary: 'Stop runs by their ids or status',
  body: runCancelMany,
  query: runCancelManyQuery,
  answers: { 204: 'nothing' },
  refusals: [404, 409],
  action: 'run.cancel',
  auth: { kind: 'threads', event: 'threads:update', ids: (_req, body) => [threadInBody(body)] },
  async handle(context, { caller, body, query, res }) {
    await cancelRuns(context, caller, body, query.action);
    res.status(204).end();
  },
});
