import { Router } from 'express';
import { ColloquyError, type Caller, type CheckpointRef } from '../protocol/index.js';
import {
  historyBody,
  historyQuery,
  stateAtCheckpoint,
  stateQuery,
  stateUpdate,
  type HistoryBody,
} from '../protocol/schemas/index.js';
import type { ThreadState } from '../steps/ports.js';
import { callerOf, type ApiContext } from './context.js';
import { findThread } from './find.js';
import { bodyOf, pathId } from './params.js';
import { bodyCheckpoint, checkpointRef } from './run-request.js';
import { graphOf } from './threads.js';
import { parse } from './validate.js';
import { select } from './wire.js';

const DEFAULT_HISTORY = 10;

export function threadStateRoutes(context: ApiContext): Router {
  const router = Router();

  router.get('/threads/:thread_id/state', async (req, res) => {
    const query = parse(stateQuery, req.query, 'query');
    const state = await readState(context, callerOf(res), pathId(req, 'thread_id'), { subgraphs: query.subgraphs });
    res.json(select(state, query.select));
  });

  router.get('/threads/:thread_id/state/:checkpoint_id', async (req, res) => {
    const query = parse(stateQuery, req.query, 'query');
    const checkpoint = { checkpointId: pathId(req, 'checkpoint_id') };
    const options = { checkpoint, subgraphs: query.subgraphs };
    res.json(select(await readState(context, callerOf(res), pathId(req, 'thread_id'), options), query.select));
  });

  router.post('/threads/:thread_id/state/checkpoint', async (req, res) => {
    const threadId = pathId(req, 'thread_id');
    const body = parse(stateAtCheckpoint, bodyOf(req), 'request body');
    const options = { checkpoint: bodyCheckpoint(body, threadId), subgraphs: body.subgraphs ?? undefined };
    res.json(select(await readState(context, callerOf(res), threadId, options), body.select));
  });

  router.post('/threads/:thread_id/state', async (req, res) => {
    const threadId = pathId(req, 'thread_id');
    const body = parse(stateUpdate, bodyOf(req), 'request body');
    const checkpoint = bodyCheckpoint(body, threadId);
    const graphId = await idleGraph(context, callerOf(res), threadId);
    const updated = await context.states.updateState(callerOf(res), graphId, threadId, {
      values: body.values ?? null,
      ...(body.as_node && { asNode: body.as_node }),
      ...(checkpoint && { checkpoint }),
    });
    // Two spellings of the same: clients of either language read their own.
    res.json({ checkpoint: updated.checkpoint, configurable: updated.checkpoint });
  });

  router.get('/threads/:thread_id/history', async (req, res) => {
    const query = parse(historyQuery, req.query, 'query');
    res.json(await readHistory(context, callerOf(res), pathId(req, 'thread_id'), query));
  });

  router.post('/threads/:thread_id/history', async (req, res) => {
    const body = parse(historyBody, bodyOf(req), 'request body');
    res.json(await readHistory(context, callerOf(res), pathId(req, 'thread_id'), body));
  });

  return router;
}

async function readState(
  context: ApiContext,
  caller: Caller,
  threadId: string,
  { checkpoint, subgraphs }: { checkpoint?: CheckpointRef | undefined; subgraphs?: boolean | undefined },
): Promise<ThreadState> {
  const thread = await findThread(context, caller, threadId);
  return context.states.getState(caller, graphOf(thread), threadId, {
    ...(checkpoint && { checkpoint }),
    ...(subgraphs !== undefined && { subgraphs }),
  });
}

/** The graph to write a thread's state with. Errors: `conflict` while a run works, `invalid_argument` before the first run. */
async function idleGraph(context: ApiContext, caller: Caller, threadId: string): Promise<string> {
  const [thread, active] = await Promise.all([
    findThread(context, caller, threadId),
    context.threads.activeRuns(caller, threadId),
  ]);
  const [busy] = active;
  if (busy)
    throw new ColloquyError('conflict', `Thread is busy: ${threadId} has run ${busy.runId}, which is ${busy.status}`);
  const graphId = graphOf(thread);
  if (graphId !== undefined) return graphId;
  throw new ColloquyError(
    'invalid_argument',
    `Thread ${threadId} has no graph ID; run it once, or set metadata.graph_id`,
  );
}

async function readHistory(
  context: ApiContext,
  caller: Caller,
  threadId: string,
  body: HistoryBody,
): Promise<object[]> {
  const thread = await findThread(context, caller, threadId);
  const before = beforeRef(body.before);
  const checkpoint = bodyCheckpoint(body, threadId);
  const states = await context.states.getHistory(caller, graphOf(thread), threadId, {
    limit: body.limit ?? DEFAULT_HISTORY,
    ...(before && { before }),
    ...(body.metadata && { metadata: body.metadata }),
    ...(checkpoint && { checkpoint }),
  });
  return states.map((state) => select(state, body.select));
}

function beforeRef(before: HistoryBody['before']): CheckpointRef | undefined {
  if (!before) return undefined;
  if (typeof before === 'string') return { checkpointId: before };
  return checkpointRef('configurable' in before ? before.configurable : before);
}
