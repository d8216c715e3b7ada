import type { Router } from 'express';
import type { CheckpointRef } from '../../protocol/index.js';
import {
  historyBody,
  historyQuery,
  stateAtCheckpoint,
  statePatch,
  stateQuery,
  stateUpdate,
  type HistoryBody,
} from '../../protocol/schemas/index.js';
import type { ThreadState } from '../../steps/ports.js';
import { viewerOf } from '../auth/access.js';
import { findVisibleThread, threadNotFound, orNotFound } from '../../conversations/find.js';
import { type Viewer } from '../../conversations/access.js';
import { callerOf, type ApiContext } from '../context.js';
import { bodyOf, pathId } from '../http/params.js';
import { createRouter } from '../http/router.js';
import { bodyCheckpoint, checkpointRef } from '../../conversations/build-run.js';
import { editState } from '../../conversations/edit-state.js';
import { graphOf, orUnreadable } from '../../conversations/thread-values.js';
import { parse } from '../http/validate.js';
import { select } from '../http/wire.js';

const DEFAULT_HISTORY = 10;

export function threadStateRoutes(context: ApiContext): Router {
  const router = createRouter();

  router.get('/threads/:thread_id/state', async (req, res) => {
    const query = parse(stateQuery, req.query, 'query');
    const state = await readState(context, viewerOf(context, res), pathId(req, 'thread_id'), {
      subgraphs: query.subgraphs,
    });
    res.json(select(state, query.select));
  });

  router.get('/threads/:thread_id/state/:checkpoint_id', async (req, res) => {
    const query = parse(stateQuery, req.query, 'query');
    const checkpoint = { checkpointId: pathId(req, 'checkpoint_id') };
    const options = { checkpoint, subgraphs: query.subgraphs };
    res.json(select(await readState(context, viewerOf(context, res), pathId(req, 'thread_id'), options), query.select));
  });

  router.post('/threads/:thread_id/state/checkpoint', async (req, res) => {
    const threadId = pathId(req, 'thread_id');
    const body = parse(stateAtCheckpoint, bodyOf(req), 'request body');
    const options = { checkpoint: bodyCheckpoint(body, threadId), subgraphs: body.subgraphs ?? undefined };
    res.json(select(await readState(context, viewerOf(context, res), threadId, options), body.select));
  });

  router.post('/threads/:thread_id/state', async (req, res) => {
    const threadId = pathId(req, 'thread_id');
    const body = parse(stateUpdate, bodyOf(req), 'request body');
    const checkpoint = bodyCheckpoint(body, threadId);
    const updated = await editState(context, viewerOf(context, res), threadId, {
      values: body.values ?? null,
      ...(body.as_node && { asNode: body.as_node }),
      ...(checkpoint && { checkpoint }),
    });
    // Three spellings of the same: clients of each language and age read their own.
    const { checkpoint: made } = updated;
    res.json({ checkpoint: made, configurable: made, checkpoint_id: made.checkpoint_id });
  });

  router.patch('/threads/:thread_id/state', async (req, res) => {
    const threadId = pathId(req, 'thread_id');
    const { metadata } = parse(statePatch, bodyOf(req), 'request body');
    const known = await findVisibleThread(context, viewerOf(context, res), threadId);
    const patched = context.threads.updateThread(callerOf(res), threadId, { metadata: metadata ?? {} }, known);
    await orNotFound(patched, threadNotFound(threadId));
    res.status(204).end();
  });

  router.get('/threads/:thread_id/history', async (req, res) => {
    const query = parse(historyQuery, req.query, 'query');
    res.json(await readHistory(context, viewerOf(context, res), pathId(req, 'thread_id'), query));
  });

  router.post('/threads/:thread_id/history', async (req, res) => {
    const body = parse(historyBody, bodyOf(req), 'request body');
    res.json(await readHistory(context, viewerOf(context, res), pathId(req, 'thread_id'), body));
  });

  return router;
}

async function readState(
  context: ApiContext,
  viewer: Viewer,
  threadId: string,
  { checkpoint, subgraphs }: { checkpoint?: CheckpointRef | undefined; subgraphs?: boolean | undefined },
): Promise<ThreadState> {
  const thread = await findVisibleThread(context, viewer, threadId);
  const state = context.states.getState(viewer.caller, graphOf(thread), threadId, {
    ...(checkpoint && { checkpoint }),
    ...(subgraphs !== undefined && { subgraphs }),
  });
  return orUnreadable(state, threadId);
}

async function readHistory(
  context: ApiContext,
  viewer: Viewer,
  threadId: string,
  body: HistoryBody,
): Promise<object[]> {
  const thread = await findVisibleThread(context, viewer, threadId);
  const before = beforeRef(body.before);
  const checkpoint = bodyCheckpoint(body, threadId);
  const history = context.states.getHistory(viewer.caller, graphOf(thread), threadId, {
    limit: body.limit ?? DEFAULT_HISTORY,
    ...(before && { before }),
    ...(body.metadata && { metadata: body.metadata }),
    ...(checkpoint && { checkpoint }),
  });
  const states = await orUnreadable(history, threadId);
  return states.map((state) => select(state, body.select));
}

function beforeRef(before: HistoryBody['before']): CheckpointRef | undefined {
  if (!before) return undefined;
  if (typeof before === 'string') return { checkpointId: before };
  return checkpointRef('configurable' in before ? before.configurable : before);
}
