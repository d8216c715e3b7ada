import type { Response } from 'express';
import { z } from 'zod';
import type { Access } from '../../conversations/access.js';
import { findRun, findThread, orNotFound, threadNotFound } from '../../conversations/find.js';
import { ColloquyError, isEnded, runToWire, type Caller } from '../../protocol/index.js';
import { lastEventId, runAnswer, runJoinQuery, runListQuery, runStreamQuery } from '../../protocol/schemas/index.js';
import { aboutStatelessRun, aboutThread, cancelsOnDisconnect } from '../auth/rules.js';
import type { ApiContext } from '../context.js';
import { answerSlowly } from '../http/keep-alive.js';
import { route } from '../http/route.js';
import { select } from '../http/select.js';
import { attachKnown, streamRun } from './follow.js';
import { setLocation } from './location.js';
import { runOutput } from './values.js';

export const listRoute = route({
  method: 'get',
  path: '/threads/:thread_id/runs',
  group: 'runs',
  tag: 'Runs',
  summary: 'Runs of a thread, newest first',
  query: runListQuery,
  answers: { 200: z.array(runAnswer.partial()) },
  action: 'run.search',
  auth: aboutThread('threads:search'),
  async handle(context, { caller, params: { thread_id: threadId }, query, res }) {
    const page = { limit: query.limit, offset: query.offset, ...(query.status && { status: query.status }) };
    const [runs] = await Promise.all([
      orNotFound(context.threads.listRuns(caller, threadId, page), threadNotFound(threadId)),
      findThread(context, caller, threadId),
    ]);
    res.json(runs.map((run) => select(runToWire(run), query.select)));
  },
});

export const getRoute = route({
  method: 'get',
  path: '/threads/:thread_id/runs/:run_id',
  group: 'runs',
  tag: 'Runs',
  summary: 'A run',
  answers: { 200: runAnswer },
  action: 'run.read',
  auth: aboutThread('threads:read'),
  async handle(context, { caller, params, res }) {
    res.json(runToWire(await findRun(context, caller, params.thread_id, params.run_id)));
  },
});

export const deleteRoute = route({
  method: 'delete',
  path: '/threads/:thread_id/runs/:run_id',
  group: 'runs',
  tag: 'Runs',
  summary: 'Delete the record of a run that has ended',
  answers: { 204: 'nothing' },
  refusals: [409],
  action: 'run.execute',
  auth: aboutThread('threads:delete'),
  async handle(context, { caller, params: { thread_id: threadId, run_id: runId }, res }) {
    const { status } = await findRun(context, caller, threadId, runId);
    if (!isEnded(status))
      throw new ColloquyError('conflict', `run ${runId} is ${status}; cancel it before deleting it`);
    await context.threads.removeRun(caller, threadId, runId);
    res.status(204).end();
  },
});

export const joinRoute = route({
  method: 'get',
  path: '/threads/:thread_id/runs/:run_id/join',
  group: 'runs',
  tag: 'Runs',
  summary: 'Wait for the values of a run',
  query: runJoinQuery,
  answers: { 200: z.unknown() },
  action: 'run.read',
  auth: [aboutThread('threads:read'), aboutThread('threads:update', { applies: cancelsOnDisconnect })],
  async handle(context, { caller, access, params, query, res }) {
    const attachment = await attachKnown(context, caller, params.thread_id, params.run_id, {
      cancelOnDisconnect: query.cancel_on_disconnect ?? false,
    });
    setLocation(res, attachment.run, 'join');
    await answerSlowly(context, res, runOutput(context, { caller, access, res }, attachment));
  },
});

export const streamRoute = route({
  method: 'get',
  path: '/threads/:thread_id/runs/:run_id/stream',
  group: 'runs',
  tag: 'Runs',
  summary: 'Events of a run, from the start or after the last event id',
  query: runStreamQuery,
  headers: { 'Last-Event-ID': lastEventId },
  answers: { 200: 'events' },
  action: 'event.read',
  auth: [aboutThread('threads:read'), aboutThread('threads:update', { applies: cancelsOnDisconnect })],
  async handle(context, call) {
    await streamKnown(context, call, call.params.thread_id, call.params.run_id);
  },
});

/** Streams the events of a stateless run. Its thread has the same id as the run. */
export const statelessJoinStreamRoute = route({
  method: 'get',
  path: '/runs/:run_id/stream',
  group: 'runs',
  tag: 'Stateless runs',
  summary: 'Events of a stateless run',
  query: runStreamQuery,
  headers: { 'Last-Event-ID': lastEventId },
  answers: { 200: 'events' },
  action: 'event.read',
  auth: [aboutStatelessRun('threads:read'), aboutStatelessRun('threads:update', { applies: cancelsOnDisconnect })],
  async handle(context, call) {
    await streamKnown(context, call, call.params.run_id, call.params.run_id);
  },
});

interface StreamCall {
  readonly caller: Caller;
  readonly access: Access;
  readonly query: z.output<typeof runStreamQuery>;
  readonly headers: { readonly 'Last-Event-ID': number | undefined };
  readonly res: Response;
}

/** Streams a run from its start, or after the last event that the client has received. */
async function streamKnown(
  context: ApiContext,
  { caller, access, query, headers, res }: StreamCall,
  threadId: string,
  runId: string,
): Promise<void> {
  const attachment = await attachKnown(context, caller, threadId, runId, {
    lastSeq: headers['Last-Event-ID'],
    cancelOnDisconnect: query.cancel_on_disconnect ?? false,
  });
  setLocation(res, attachment.run, 'stream');
  const filter = { modes: query.stream_mode, namespaces: query.namespace };
  await streamRun(context, { caller, access, res }, attachment, filter);
}
