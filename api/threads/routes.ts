import type { Response, Router } from 'express';
import { findVisibleThread } from '../../conversations/find.js';
import { valuesOf } from '../../conversations/thread-values.js';
import { copyThread, makeThread, patchThread, pruneThreads, removeThread } from '../../conversations/threads.js';
import { threadCreate, threadGetQuery, threadPatch, threadPrune } from '../../protocol/schemas/index.js';
import { viewerOf } from '../auth/access.js';
import { requiredOf } from '../auth/required.js';
import { callerOf, type ApiContext } from '../context.js';
import { bodyOf, pathId } from '../http/params.js';
import { createRouter } from '../http/router.js';
import { parse } from '../http/validate.js';
import { threadToWire, ttlToWire } from '../http/wire.js';

export function threadRoutes(context: ApiContext): Router {
  const router = createRouter();

  router.post('/threads', async (req, res) => {
    const body = parse(threadCreate, bodyOf(req), 'request body');
    const thread = await makeThread(context, viewerOf(context, res), body);
    res.json(threadToWire(thread, await valuesOf(context, callerOf(res), thread)));
  });

  router.post('/threads/prune', async (req, res) => {
    const body = parse(threadPrune, bodyOf(req), 'request body');
    const strategy = body.strategy ?? 'delete';
    const pruned = await pruneThreads(context, callerOf(res), { ids: body.thread_ids, strategy, ...requiredOf(res) });
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
    const body = parse(threadPatch, bodyOf(req), 'request body');
    const thread = await patchThread(context, viewerOf(context, res), pathId(req, 'thread_id'), body);
    if (wantsMinimal(req.headers['prefer'])) {
      res.status(204).end();
      return;
    }
    res.json(threadToWire(thread, await valuesOf(context, callerOf(res), thread)));
  });

  router.post('/threads/:thread_id/copy', async (req, res) => {
    // What the project's auth makes of the copy; without one a body means nothing here.
    const metadata = context.auth ? (parse(threadPatch, bodyOf(req), 'request body').metadata ?? {}) : {};
    const { thread, values } = await copyThread(context, viewerOf(context, res), pathId(req, 'thread_id'), metadata);
    res.json(threadToWire(thread, values));
  });

  router.delete('/threads/:thread_id', async (req, res: Response) => {
    await removeThread(context, viewerOf(context, res), pathId(req, 'thread_id'));
    res.status(204).end();
  });

  return router;
}

/** RFC 7240: the client wants no body back. */
function wantsMinimal(prefer: string | string[] | undefined): boolean {
  return String(prefer ?? '').includes('return=minimal');
}
