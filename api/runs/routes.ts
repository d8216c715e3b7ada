import type { Request, Response, Router } from 'express';
import { ColloquyError, isEnded, type Caller, type Run, ifFound } from '../../protocol/index.js';
import {
  createStreamQuery,
  lastEventId,
  runJoinQuery,
  runListQuery,
  runStreamQuery,
  statelessRun,
  statelessRunInBackground,
  threadRun,
  threadRunInBackground,
} from '../../protocol/schemas/index.js';
import { acceptRun, type AcceptedRun } from '../../conversations/accept-run.js';
import { type RunOrder } from '../../conversations/build-run.js';
import { callerOf, type ApiContext } from '../context.js';
import { findRun, findThread, threadNotFound, orNotFound } from '../../conversations/find.js';
import { answerSlowly } from '../http/keep-alive.js';
import { pathId } from '../http/params.js';
import { createRouter } from '../http/router.js';
import { runBatchRoutes } from './batch.js';
import { runCancelRoutes } from './cancel.js';
import { statelessOrder, threadOrder, type OrderReader } from './orders.js';
import { attachAccepted, attachKnown, awaitEnd, streamRun, type Attachment } from './follow.js';
import { parse } from '../http/validate.js';
import { runToWire, select } from '../http/wire.js';

export function runRoutes(context: ApiContext): Router {
  const router = createRouter();

  router.post('/threads/:thread_id/runs', create(context, threadOrder(threadRunInBackground)));
  router.post('/threads/:thread_id/runs/wait', createAndWait(context, threadOrder(threadRun)));
  router.post('/threads/:thread_id/runs/stream', createAndStream(context, threadOrder(threadRun)));
  router.post('/runs', create(context, statelessOrder(statelessRunInBackground)));
  router.post('/runs/wait', createAndWait(context, statelessOrder(statelessRun)));
  router.post('/runs/stream', createAndStream(context, statelessOrder(statelessRun)));

  router.get('/threads/:thread_id/runs', async (req, res) => {
    const threadId = pathId(req, 'thread_id');
    const query = parse(runListQuery, req.query, 'query');
    const [runs] = await Promise.all([
      orNotFound(
        context.threads.listRuns(callerOf(res), threadId, {
          limit: query.limit,
          offset: query.offset,
          ...(query.status && { status: query.status }),
        }),
        threadNotFound(threadId),
      ),
      findThread(context, callerOf(res), threadId),
    ]);
    res.json(runs.map((run) => select(runToWire(run), query.select)));
  });

  router.get('/threads/:thread_id/runs/:run_id', async (req, res) => {
    const { threadId, runId } = runPlace(req);
    res.json(runToWire(await findRun(context, callerOf(res), threadId, runId)));
  });

  router.delete('/threads/:thread_id/runs/:run_id', async (req, res) => {
    const { threadId, runId } = runPlace(req);
    const run = await findRun(context, callerOf(res), threadId, runId);
    if (!isEnded(run.status))
      throw new ColloquyError('conflict', `run ${runId} is ${run.status}; cancel it before deleting it`);
    await context.threads.removeRun(callerOf(res), threadId, runId);
    res.status(204).end();
  });

  router.get('/threads/:thread_id/runs/:run_id/join', join(context, runPlace));
  router.get('/threads/:thread_id/runs/:run_id/stream', joinStream(context, runPlace));
  router.get('/runs/:run_id/stream', joinStream(context, statelessPlace));
  router.use(runCancelRoutes(context));
  router.use(runBatchRoutes(context));

  return router;
}

type Handler = (req: Request, res: Response) => Promise<void>;
type Place = (req: Request) => { threadId: string; runId: string };

const runPlace: Place = (req) => ({ threadId: pathId(req, 'thread_id'), runId: pathId(req, 'run_id') });

/** The thread of a stateless run has the run's own id. */
const statelessPlace: Place = (req) => ({ threadId: pathId(req, 'run_id'), runId: pathId(req, 'run_id') });

function create(context: ApiContext, readOrder: OrderReader): Handler {
  return async (req, res) => {
    const accepted = await acceptRun(context, readOrder(context, req, res));
    await Promise.all([accepted.admit?.(), accepted.bound]);
    setLocation(res, accepted.run, 'join');
    res.json(runToWire(accepted.run));
  };
}

function createAndWait(context: ApiContext, readOrder: OrderReader): Handler {
  return async (req, res) => {
    const order = readOrder(context, req, res);
    const accepted = await acceptRun(context, order);
    setLocation(res, accepted.run, 'join');
    await answerSlowly(context, res, finalValues(context, order.caller, res, attach(order, accepted), accepted.bound));
  };
}

function createAndStream(context: ApiContext, readOrder: OrderReader): Handler {
  return async (req, res) => {
    const { namespace } = parse(createStreamQuery, req.query, 'query');
    const order = readOrder(context, req, res);
    const accepted = await acceptRun(context, order);
    setLocation(res, accepted.run, 'stream');
    const filter = { namespaces: namespace };
    await streamRun(context, order.caller, res, attach(order, accepted), filter, accepted.bound);
  };
}

function attach(order: RunOrder, accepted: AcceptedRun): Attachment {
  return attachAccepted(accepted, order.body.on_disconnect === 'cancel');
}

function join(context: ApiContext, place: Place): Handler {
  return async (req, res) => {
    const query = parse(runJoinQuery, req.query, 'query');
    const attachment = await attachKnown(context, callerOf(res), place(req), {
      cancelOnDisconnect: query.cancel_on_disconnect ?? false,
    });
    setLocation(res, attachment.run, 'join');
    await answerSlowly(context, res, finalValues(context, callerOf(res), res, attachment));
  };
}

function joinStream(context: ApiContext, place: Place): Handler {
  return async (req, res) => {
    const query = parse(runStreamQuery, req.query, 'query');
    const attachment = await attachKnown(context, callerOf(res), place(req), {
      lastSeq: lastSeqOf(req),
      cancelOnDisconnect: query.cancel_on_disconnect ?? false,
    });
    setLocation(res, attachment.run, 'stream');
    await streamRun(context, callerOf(res), res, attachment, { modes: query.stream_mode, namespaces: query.namespace });
  };
}

function lastSeqOf(req: Request): number | undefined {
  const id = req.headers['last-event-id'];
  return id === undefined || id === '' ? undefined : parse(lastEventId, id, 'Last-Event-ID');
}

/** What a waiting client gets, as JSON text: the run's output, or why it failed. `undefined` when nobody waits any more. */
async function finalValues(
  context: ApiContext,
  caller: Caller,
  res: Response,
  attachment: Attachment,
  bound: Promise<void> = Promise.resolve(),
): Promise<string | undefined> {
  const { threadId, runId } = attachment.run;
  const outcome = await awaitEnd(context, caller, res, attachment);
  if (!outcome) return undefined;
  await bound.catch((error: unknown) => context.report(error, `thread of run ${runId}`));
  if (outcome.ended.error) return JSON.stringify({ __error__: outcome.ended.error });
  if (outcome.values !== undefined) return outcome.values;
  // A run that was rolled back has no record and no output.
  const run = await ifFound(findRun(context, caller, threadId, runId));
  const values = run && (await ifFound(context.states.finalValues(caller, run)));
  return JSON.stringify(values ?? null);
}

/** Where the run is, and where to go on after a lost connection; the SDK reconnects to `Location`. */
function setLocation(res: Response, run: Run, view: 'stream' | 'join'): void {
  const path = `/threads/${run.threadId}/runs/${run.runId}`;
  res.setHeader('Content-Location', path);
  res.setHeader('Location', `${path}/${view}`);
}
