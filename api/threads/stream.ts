import type { Request, Response, Router } from 'express';
import { errorCode, firstOf, type Caller } from '../../protocol/index.js';
import { threadLastEventId, threadStreamQuery } from '../../protocol/schemas/index.js';
import { accessOf } from '../auth/access.js';
import { watchAccess } from '../auth/stream-access.js';
import { callerOf, type ApiContext } from '../context.js';
import { findThread } from '../../conversations/find.js';
import { pathId } from '../http/params.js';
import { createRouter } from '../http/router.js';
import { openEventStream, writeEvents } from '../http/sse.js';
import { threadEvents, type ThreadStreamMode } from '../../conversations/thread-events.js';
import { parse } from '../http/validate.js';

/** The stream of a whole thread: every run of it, those to come too. It ends with its client, or with the thread. */
export function threadStreamRoutes(context: ApiContext): Router {
  const router = createRouter();

  router.get('/threads/:thread_id/stream', async (req, res) => {
    const threadId = pathId(req, 'thread_id');
    const query = parse(threadStreamQuery, req.query, 'query');
    const modes = [...(query.stream_mode ?? []), ...(query.stream_modes ?? [])];
    const caller = callerOf(res);
    const [tail] = await Promise.all([context.events.tail(caller, threadId), findThread(context, caller, threadId)]);
    const place = { threadId, afterSeq: lastSeqOf(req) ?? tail };
    await streamThread(context, caller, res, place, modes.length > 0 ? modes : ['run_modes']);
  });

  return router;
}

function lastSeqOf(req: Request): number | undefined {
  const id = req.headers['last-event-id'];
  return id === undefined || id === '' ? undefined : parse(threadLastEventId, id, 'Last-Event-ID');
}

async function streamThread(
  context: ApiContext,
  caller: Caller,
  res: Response,
  place: { threadId: string; afterSeq: number },
  modes: ThreadStreamMode[],
): Promise<void> {
  const watch = watchThread(context, caller, place.threadId);
  const access = watchAccess(context, accessOf(context, res), place.threadId);
  const left = new AbortController();
  if (res.closed) left.abort();
  else res.once('close', () => left.abort());
  const { signal } = firstOf(left.signal, watch.gone, access.lost, context.shutdown);
  try {
    res.setHeader('Location', `/threads/${place.threadId}/stream`);
    openEventStream(res);
    // Where the stream begins, so that a client that loses it before the first event misses nothing.
    res.write(`id: ${Date.now()}-${place.afterSeq}\n\n`);
    await writeEvents(res, threadEvents(access.events, caller, { ...place, modes, signal }), context.options);
  } finally {
    watch.stop();
    access.stop();
  }
  if (watch.gone.aborted) res.end();
  else res.destroy();
}

/** Nothing in the log says that a thread was deleted: its record is looked at from time to time. */
function watchThread(context: ApiContext, caller: Caller, threadId: string): { gone: AbortSignal; stop(): void } {
  const gone = new AbortController();
  const timer = setInterval(() => {
    context.threads.getThread(caller, threadId).catch((error: unknown) => {
      if (errorCode(error) === 'not_found') gone.abort();
      else context.report(error, `stream of thread ${threadId}`);
    });
  }, context.options.endCheckMs);
  return { gone: gone.signal, stop: () => clearInterval(timer) };
}
