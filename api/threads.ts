import { Router, type Response } from 'express';
import { v7 as uuid7 } from '@langchain/core/utils/uuid';
import { ColloquyError, errorCode, type Caller, type Thread } from '../protocol/index.js';
import { threadCount, threadCreate, threadGetQuery, threadPatch, threadSearch } from '../protocol/schemas/index.js';
import type { ThreadQuery } from '../threads/index.js';
import { callerOf, type ApiContext } from './context.js';
import { orNotFound } from './errors.js';
import { findThread, threadNotFound } from './find.js';
import { setPagination } from './pagination.js';
import { bodyOf, pathId } from './params.js';
import { deleteThread } from './stateless.js';
import { parse } from './validate.js';
import { select, threadToWire } from './wire.js';

const DEFAULT_PAGE = 10;
/** States read at once for one search. */
const PARALLEL_READS = 8;

export function threadRoutes(context: ApiContext): Router {
  const router = Router();
  const { threads } = context;

  router.post('/threads', async (req, res) => {
    const body = parse(threadCreate, bodyOf(req), 'request body');
    const threadId = body.thread_id ?? uuid7();
    const thread = await createThread(context, callerOf(res), {
      threadId,
      metadata: body.metadata ?? {},
      ifExists: body.if_exists ?? 'raise',
    });
    res.json(threadToWire(thread, await valuesOf(context, callerOf(res), thread)));
  });

  router.post('/threads/search', async (req, res) => {
    const body = parse(threadSearch, bodyOf(req), 'request body');
    const query: ThreadQuery = {
      ...filterOf(body),
      ...(body.ids && { ids: body.ids }),
      limit: body.limit ?? DEFAULT_PAGE,
      offset: body.offset ?? 0,
      sortBy: body.sort_by ?? 'created_at',
      sortOrder: body.sort_order ?? 'desc',
    };
    const found = await searchPage(context, callerOf(res), query);
    setPagination(res, { offset: query.offset, limit: query.limit, total: found.total });
    const withValues = !body.select || body.select.some((field) => field === 'values' || field.startsWith('values.'));
    const values = withValues ? await valuesOfAll(context, callerOf(res), found.threads) : [];
    res.json(found.threads.map((thread, index) => select(threadToWire(thread, values[index]), body.select)));
  });

  router.post('/threads/count', async (req, res) => {
    const body = parse(threadCount, bodyOf(req), 'request body');
    res.json(await threads.countThreads(callerOf(res), filterOf(body)));
  });

  router.get('/threads/:thread_id', async (req, res) => {
    parse(threadGetQuery, req.query, 'query');
    const thread = await findThread(context, callerOf(res), pathId(req, 'thread_id'));
    res.json(threadToWire(thread, await valuesOf(context, callerOf(res), thread)));
  });

  router.patch('/threads/:thread_id', async (req, res) => {
    const threadId = pathId(req, 'thread_id');
    const body = parse(threadPatch, bodyOf(req), 'request body');
    const patch = { metadata: body.metadata ?? {} };
    const thread = await orNotFound(threads.updateThread(callerOf(res), threadId, patch), threadNotFound(threadId));
    if (wantsMinimal(req.headers['prefer'])) {
      res.status(204).end();
      return;
    }
    res.json(threadToWire(thread, await valuesOf(context, callerOf(res), thread)));
  });

  router.delete('/threads/:thread_id', async (req, res: Response) => {
    const threadId = pathId(req, 'thread_id');
    await orNotFound(deleteThread(context, callerOf(res), threadId), threadNotFound(threadId));
    res.status(204).end();
  });

  return router;
}

/** The graph of a thread's last run, where it had one. */
export function graphOf(thread: Thread): string | undefined {
  const graphId = thread.metadata['graph_id'];
  return typeof graphId === 'string' ? graphId : undefined;
}

async function createThread(
  context: ApiContext,
  caller: Caller,
  thread: { threadId: string; metadata: Record<string, unknown>; ifExists: 'raise' | 'do_nothing' },
): Promise<Thread> {
  try {
    return await context.threads.createThread(caller, thread);
  } catch (error) {
    if (errorCode(error) !== 'already_exists') throw error;
    throw new ColloquyError('already_exists', `Thread already exists: ${thread.threadId}`, { cause: error });
  }
}

function filterOf(body: {
  metadata?: Record<string, unknown> | null | undefined;
  status?: Thread['status'] | null | undefined;
}): Pick<ThreadQuery, 'metadata' | 'status'> {
  return { ...(body.metadata && { metadata: body.metadata }), ...(body.status && { status: body.status }) };
}

/** One page. The total is counted only where there is more than the page. */
async function searchPage(
  context: ApiContext,
  caller: Caller,
  query: ThreadQuery,
): Promise<{ threads: Thread[]; total: number }> {
  const { limit, offset, ids } = query;
  const found = await context.threads.searchThreads(caller, { ...query, limit: limit + 1 });
  const threads = found.slice(0, limit);
  if (found.length <= limit) return { threads, total: offset + threads.length };
  // Threads are not counted by id; that there is one more is what the next page needs.
  const total = ids ? offset + limit + 1 : await context.threads.countThreads(caller, query);
  return { threads, total };
}

/** State of a thread at its head; null for one that never ran, and for one whose graph is not served any more. */
async function valuesOf(context: ApiContext, caller: Caller, thread: Thread): Promise<unknown> {
  const graphId = graphOf(thread);
  if (graphId === undefined) return null;
  try {
    const state = await context.states.getState(caller, graphId, thread.threadId);
    return state.checkpoint?.checkpoint_id ? state.values : null;
  } catch (error) {
    if (errorCode(error) === 'not_found') return null;
    throw error;
  }
}

async function valuesOfAll(context: ApiContext, caller: Caller, threads: Thread[]): Promise<unknown[]> {
  const values: unknown[] = [];
  let next = 0;
  const readers = Array.from({ length: PARALLEL_READS }, async () => {
    for (let index = next++; index < threads.length; index = next++) {
      const thread = threads[index];
      if (thread) values[index] = await valuesOf(context, caller, thread);
    }
  });
  await Promise.all(readers);
  return values;
}

/** RFC 7240: the client wants no body back. */
function wantsMinimal(prefer: string | string[] | undefined): boolean {
  return String(prefer ?? '').includes('return=minimal');
}
