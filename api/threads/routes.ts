import { copyThread, makeThread, patchThread, pruneThreads, removeThread } from '../../conversations/threads.js';
import { findVisibleThread } from '../../conversations/find.js';
import { threadValues } from '../../conversations/thread-values.js';
import {
  pruneAnswer,
  threadAnswer,
  threadCreate,
  threadGetQuery,
  threadPatch,
  threadPrune,
} from '../../protocol/schemas/index.js';
import { CHANGES, aboutThread, creates, finds } from '../auth/rules.js';
import { bodyOf, route } from '../http/route.js';
import { parse } from '../http/validate.js';
import { threadToWire, ttlToWire } from './wire.js';

export const createRoute = route({
  method: 'post',
  path: '/threads',
  group: 'threads',
  tag: 'Threads',
  summary: 'Create a thread',
  body: threadCreate,
  answers: { 200: threadAnswer },
  refusals: [404, 409],
  action: 'thread.create',
  auth: creates('threads', 'threads:create', 'thread_id'),
  async handle(context, { viewer, body, res }) {
    const thread = await makeThread(context, viewer, body);
    res.json(threadToWire(thread, await threadValues(context, viewer.caller, thread)));
  },
});

export const getRoute = route({
  method: 'get',
  path: '/threads/:thread_id',
  group: 'threads',
  tag: 'Threads',
  summary: 'A thread',
  query: threadGetQuery,
  answers: { 200: threadAnswer },
  action: 'thread.read',
  auth: aboutThread('threads:read'),
  async handle(context, { viewer, params, query: { include }, res }) {
    const thread = await findVisibleThread(context, viewer, params.thread_id);
    const values = await threadValues(context, viewer.caller, thread);
    const ttl = include?.includes('ttl') && thread.ttl ? { ttl: ttlToWire(thread.ttl) } : {};
    res.json({ ...threadToWire(thread, values), ...ttl });
  },
});

export const patchRoute = route({
  method: 'patch',
  path: '/threads/:thread_id',
  group: 'threads',
  tag: 'Threads',
  summary: 'Merge metadata into a thread, and set when it expires',
  body: threadPatch,
  answers: { 200: threadAnswer, 204: 'nothing' },
  action: 'thread.update',
  auth: aboutThread('threads:update', CHANGES),
  async handle(context, { viewer, params, body, req, res }) {
    const thread = await patchThread(context, viewer, params.thread_id, body);
    // With this preference (RFC 7240) the client does not want the record in the answer.
    if (String(req.headers['prefer'] ?? '').includes('return=minimal')) res.status(204).end();
    else res.json(threadToWire(thread, await threadValues(context, viewer.caller, thread)));
  },
});

export const deleteRoute = route({
  method: 'delete',
  path: '/threads/:thread_id',
  group: 'threads',
  tag: 'Threads',
  summary: 'Delete a thread, with its runs and its state',
  answers: { 204: 'nothing' },
  action: 'thread.delete',
  auth: aboutThread('threads:delete'),
  async handle(context, { viewer, params, res }) {
    await removeThread(context, viewer, params.thread_id);
    res.status(204).end();
  },
});

export const pruneRoute = route({
  method: 'post',
  path: '/threads/prune',
  group: 'threads',
  tag: 'Threads',
  summary: 'Delete threads, or all their checkpoints except the newest',
  body: threadPrune,
  answers: { 200: pruneAnswer },
  action: 'thread.delete',
  auth: finds('threads', 'threads:delete'),
  async handle(context, { viewer, body, res }) {
    const pruned = await pruneThreads(context, viewer, body.thread_ids, body.strategy ?? 'delete');
    res.json({ pruned_count: pruned });
  },
});

export const copyRoute = route({
  method: 'post',
  path: '/threads/:thread_id/copy',
  group: 'threads',
  tag: 'Threads',
  summary: 'A new thread with the state and history of another',
  answers: { 200: threadAnswer },
  action: 'thread.create',
  auth: [aboutThread('threads:read'), { ...creates('threads', 'threads:create'), value: () => ({ metadata: {} }) }],
  async handle(context, { viewer, params, req, res }) {
    // The copy gets no metadata from the client. If the project has auth, the gate has replaced the
    // metadata in the body. The new metadata come only from the project's handlers and their
    // filters.
    const metadata = context.auth ? (parse(threadPatch, bodyOf(req), 'request body').metadata ?? {}) : {};
    const { thread, values } = await copyThread(context, viewer, params.thread_id, metadata);
    res.json(threadToWire(thread, values));
  },
});
