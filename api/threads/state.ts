import { z } from 'zod';
import type { Viewer } from '../../conversations/access.js';
import { bodyCheckpoint, checkpointRef } from '../../conversations/build-run.js';
import { editState } from '../../conversations/edit-state.js';
import { findVisibleThread } from '../../conversations/find.js';
import { graphOf, orUnreadable } from '../../conversations/thread-values.js';
import { patchThread } from '../../conversations/threads.js';
import type { CheckpointRef } from '../../protocol/index.js';
import {
  historyBody,
  historyQuery,
  stateAnswer,
  stateAtCheckpoint,
  statePatch,
  stateQuery,
  stateUpdate,
  stateUpdateAnswer,
  type HistoryBody,
} from '../../protocol/schemas/index.js';
import type { ThreadState } from '../../steps/ports.js';
import { CHANGES, aboutThread } from '../auth/rules.js';
import type { ApiContext } from '../context.js';
import { route } from '../http/route.js';
import { select } from '../http/select.js';

const DEFAULT_HISTORY = 10;

export const getStateRoute = route({
  method: 'get',
  path: '/threads/:thread_id/state',
  group: 'threads',
  tag: 'State',
  summary: 'The newest state of a thread',
  query: stateQuery,
  answers: { 200: stateAnswer.partial() },
  action: 'state.read',
  auth: aboutThread('threads:read'),
  async handle(context, { viewer, params, query, res }) {
    const state = await readState(context, viewer, params.thread_id, { subgraphs: query.subgraphs });
    res.json(select(state, query.select));
  },
});

export const updateStateRoute = route({
  method: 'post',
  path: '/threads/:thread_id/state',
  group: 'threads',
  tag: 'State',
  summary: 'Write values into the state as a node',
  body: stateUpdate,
  answers: { 200: stateUpdateAnswer },
  refusals: [409],
  action: 'state.update',
  auth: aboutThread('threads:update'),
  async handle(context, { viewer, params: { thread_id: threadId }, body, res }) {
    const checkpoint = bodyCheckpoint(body, threadId);
    const updated = await editState(context, viewer, threadId, {
      values: body.values ?? null,
      ...(body.as_node && { asNode: body.as_node }),
      ...(checkpoint && { checkpoint }),
    });
    // The answer names the checkpoint in three fields. Which of them a client reads depends on the
    // client's language and version.
    const { checkpoint: created } = updated;
    res.json({ checkpoint: created, configurable: created, checkpoint_id: created.checkpoint_id });
  },
});

export const patchStateRoute = route({
  method: 'patch',
  path: '/threads/:thread_id/state',
  group: 'threads',
  tag: 'State',
  summary: 'Merge metadata into a thread',
  body: statePatch,
  answers: { 204: 'nothing' },
  action: 'thread.update',
  auth: aboutThread('threads:update', CHANGES),
  async handle(context, { viewer, params, body, res }) {
    await patchThread(context, viewer, params.thread_id, { metadata: body.metadata });
    res.status(204).end();
  },
});

export const getStateAtRoute = route({
  method: 'get',
  path: '/threads/:thread_id/state/:checkpoint_id',
  group: 'threads',
  tag: 'State',
  summary: 'State at a checkpoint',
  query: stateQuery,
  answers: { 200: stateAnswer.partial() },
  action: 'state.read',
  auth: aboutThread('threads:read'),
  async handle(context, { viewer, params, query, res }) {
    const options = { checkpoint: { checkpointId: params.checkpoint_id }, subgraphs: query.subgraphs };
    res.json(select(await readState(context, viewer, params.thread_id, options), query.select));
  },
});

export const stateAtRoute = route({
  method: 'post',
  path: '/threads/:thread_id/state/checkpoint',
  group: 'threads',
  tag: 'State',
  summary: 'State at a checkpoint, also of a subgraph',
  body: stateAtCheckpoint,
  answers: { 200: stateAnswer.partial() },
  action: 'state.read',
  auth: aboutThread('threads:read'),
  async handle(context, { viewer, params: { thread_id: threadId }, body, res }) {
    const options = { checkpoint: bodyCheckpoint(body, threadId), subgraphs: body.subgraphs ?? undefined };
    res.json(select(await readState(context, viewer, threadId, options), body.select));
  },
});

export const getHistoryRoute = route({
  method: 'get',
  path: '/threads/:thread_id/history',
  group: 'threads',
  tag: 'State',
  summary: 'Earlier states, newest first',
  query: historyQuery,
  answers: { 200: z.array(stateAnswer.partial()) },
  action: 'state.read',
  auth: aboutThread('threads:read'),
  async handle(context, { viewer, params, query, res }) {
    res.json(await readHistory(context, viewer, params.thread_id, query));
  },
});

export const historyRoute = route({
  method: 'post',
  path: '/threads/:thread_id/history',
  group: 'threads',
  tag: 'State',
  summary: 'Earlier states, newest first',
  body: historyBody,
  answers: { 200: z.array(stateAnswer.partial()) },
  action: 'state.read',
  auth: aboutThread('threads:read'),
  async handle(context, { viewer, params, body, res }) {
    res.json(await readHistory(context, viewer, params.thread_id, body));
  },
});

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
