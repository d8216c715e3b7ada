import type { Response, Router } from 'express';
import { v7 as uuid7 } from '@langchain/core/utils/uuid';
import type { z } from 'zod';
import { ColloquyError, errorCode, type Caller, type Thread } from '../protocol/index.js';
import { MAX_PRUNED, threadCreate, threadGetQuery, threadPatch, threadPrune } from '../protocol/schemas/index.js';
import type { NewThread, NewTtl } from '../threads/index.js';
import { accessOf, findVisibleThread, viewerOf, type Access } from './auth/access.js';
import { requiredOf } from './auth/required.js';
import { callerOf, type ApiContext } from './context.js';
import { orNotFound } from './errors.js';
import { findThread, threadNotFound } from './find.js';
import { bodyOf, pathId } from './params.js';
import { createRouter } from './router.js';
import { deleteThread } from './stateless.js';
import { applySupersteps, findSameThread, settle } from './thread-edits.js';
import { graphOf, valuesOf } from './thread-values.js';
import { parse } from './validate.js';
import { threadToWire, ttlToWire } from './wire.js';

type TtlBody = z.infer<typeof threadPatch>['ttl'];

export function threadRoutes(context: ApiContext): Router {
  const router = createRouter();
  const { threads } = context;

  router.post('/threads', async (req, res) => {
    const body = parse(threadCreate, bodyOf(req), 'request body');
    const caller = callerOf(res);
    const supersteps = body.supersteps ?? [];
    const threadId = body.thread_id ?? uuid7();
    const metadata = body.metadata ?? {};
    if (supersteps.length > 0 && typeof metadata['graph_id'] !== 'string') throw noGraph(threadId);
    const ttl = ttlOf(body.ttl);
    const ifExists = body.if_exists ?? 'raise';
    const access = accessOf(context, res);
    const thread = await createThread(context, caller, access, { threadId, metadata, ifExists, ...(ttl && { ttl }) });
    if (supersteps.length > 0) {
      await applySupersteps(context, caller, thread, supersteps).catch(async (error: unknown) => {
        // A thread that is surely of this request goes again, so that the client can send it once more.
        if (ifExists === 'raise') await undoThread(context, caller, thread);
        throw error;
      });
    }
    const made = supersteps.length > 0 ? await findSameThread(context, caller, thread) : thread;
    res.json(threadToWire(made, await valuesOf(context, caller, made)));
  });

  router.post('/threads/prune', async (req, res) => {
    const body = parse(threadPrune, bodyOf(req), 'request body');
    const caller = callerOf(res);
    const ids = [...new Set(body.thread_ids)];
    // A thread that the caller may not delete is one that is not there.
    const query = { ids, ...requiredOf(res), limit: MAX_PRUNED, offset: 0 };
    const found = ids.length === 0 ? [] : await threads.searchThreads(caller, query);
    let pruned = 0;
    for (const thread of found) {
      if (await pruneThread(context, caller, thread, body.strategy ?? 'delete')) pruned += 1;
    }
    res.json({ pruned_count: pruned });
  });

  router.get('/threads/:thread_id', async (req, res) => {
    const { include } = parse(threadGetQuery, req.query, 'query');
    const thread = await findVisibleThread(context, viewerOf(context, res), pathId(req, 'thread_id'));
    const values = await valuesOf(context, callerOf(res), thread);
    const ttl = include?.includes('ttl') && thread.ttl ? { ttl: ttlToWire(thread.ttl) } : {};
    res.json({ ...threadToWire(thread, values), ...ttl });
  });

  router.patch('/threads/:thread_id', async (req, res) => {
    const threadId = pathId(req, 'thread_id');
    const body = parse(threadPatch, bodyOf(req), 'request body');
    const ttl = ttlOf(body.ttl);
    const patch = { metadata: body.metadata ?? {}, ...(ttl && { ttl }) };
    const known = await findVisibleThread(context, viewerOf(context, res), threadId);
    const patched = threads.updateThread(callerOf(res), threadId, patch, known);
    const thread = await orNotFound(patched, threadNotFound(threadId));
    if (wantsMinimal(req.headers['prefer'])) {
      res.status(204).end();
      return;
    }
    res.json(threadToWire(thread, await valuesOf(context, callerOf(res), thread)));
  });

  router.post('/threads/:thread_id/copy', async (req, res) => {
    const threadId = pathId(req, 'thread_id');
    const caller = callerOf(res);
    // What the project's auth makes of the copy; without one a body means nothing here.
    const metadata = context.auth ? (parse(threadPatch, bodyOf(req), 'request body').metadata ?? {}) : {};
    const source = await findVisibleThread(context, viewerOf(context, res), threadId);
    const copying = threads.copyThread(caller, threadId, { copyId: uuid7(), metadata, source });
    const copy = await orNotFound(copying, threadNotFound(threadId));
    const graphId = graphOf(copy);
    const state = graphId === undefined ? undefined : await settle(context, caller, graphId, copy.threadId);
    const settled = await findThread(context, caller, copy.threadId);
    res.json(threadToWire(settled, state?.checkpoint?.checkpoint_id ? state.values : null));
  });

  router.delete('/threads/:thread_id', async (req, res: Response) => {
    const threadId = pathId(req, 'thread_id');
    const mark = await markToDelete(context, res, threadId);
    await orNotFound(deleteThread(context, callerOf(res), threadId, mark), threadNotFound(threadId));
    res.status(204).end();
  });

  return router;
}

function ttlOf(ttl: TtlBody): NewTtl | undefined {
  return ttl ? { minutes: ttl.ttl, strategy: ttl.strategy ?? 'delete' } : undefined;
}

/** With `do_nothing` an existing thread is returned only if the caller may see it. */
async function createThread(
  context: ApiContext,
  caller: Caller,
  access: Access,
  { ifExists, ...thread }: NewThread,
): Promise<Thread> {
  try {
    return await context.threads.createThread(caller, { ...thread, ifExists: 'raise' });
  } catch (error) {
    if (errorCode(error) !== 'already_exists') throw error;
    const found = ifExists === 'do_nothing' ? await visibleThread(context, caller, access, thread.threadId) : undefined;
    if (found !== undefined) return found;
    throw new ColloquyError('already_exists', `Thread already exists: ${thread.threadId}`, { cause: error });
  }
}

async function visibleThread(
  context: ApiContext,
  caller: Caller,
  access: Access,
  threadId: string,
): Promise<Thread | undefined> {
  try {
    const found = await context.threads.getThread(caller, threadId);
    access.checkThread(found);
    return found;
  } catch (error) {
    if (errorCode(error) !== 'not_found') throw error;
    return undefined;
  }
}

/** Deletes the thread that a request made. If another thread has its id by now, that one stays. */
async function undoThread(context: ApiContext, caller: Caller, thread: Thread): Promise<void> {
  try {
    await deleteThread(context, caller, thread.threadId, thread);
  } catch (error) {
    if (errorCode(error) !== 'not_found') throw error;
  }
}

/** Undefined if the thread is gone, or if its deletion was cut off and can go on. Errors: `not_found` if the caller may not see it. */
async function markToDelete(context: ApiContext, res: Response, threadId: string): Promise<Thread | undefined> {
  const viewer = viewerOf(context, res);
  try {
    return await findVisibleThread(context, viewer, threadId);
  } catch (error) {
    // Whom the gate has shown a thread must not go on with another one.
    if (errorCode(error) !== 'not_found' || viewer.access.isAsked) throw error;
    return undefined;
  }
}

/** False for a thread that is not there. */
async function pruneThread(
  context: ApiContext,
  caller: Caller,
  thread: Thread,
  strategy: NewTtl['strategy'],
): Promise<boolean> {
  try {
    if (strategy === 'delete') await deleteThread(context, caller, thread.threadId, thread);
    else await context.threads.pruneThread(caller, thread.threadId);
    return true;
  } catch (error) {
    if (errorCode(error) !== 'not_found') throw error;
    return false;
  }
}

function noGraph(threadId: string): ColloquyError {
  return new ColloquyError(
    'invalid_argument',
    `supersteps: thread ${threadId} has no graph ID; set metadata.graph_id, so that its graph can write them`,
    { field: 'metadata.graph_id' },
  );
}

/** RFC 7240: the client wants no body back. */
function wantsMinimal(prefer: string | string[] | undefined): boolean {
  return String(prefer ?? '').includes('return=minimal');
}
