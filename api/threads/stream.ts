import type { Response } from 'express';
import { findThread } from '../../conversations/find.js';
import { threadEvents, type ThreadStreamMode } from '../../conversations/thread-events.js';
import type { Viewer } from '../../conversations/access.js';
import { errorCode, firstOf, type Caller } from '../../protocol/index.js';
import { threadLastEventId, threadStreamQuery } from '../../protocol/schemas/index.js';
import { aboutThread } from '../auth/rules.js';
import { watchAccess } from '../auth/stream-access.js';
import type { ApiContext } from '../context.js';
import { route } from '../http/route.js';
import { openEventStream, writeEvents } from '../http/sse.js';

/**
 * Streams the events of all runs of a thread, including runs that start later, until the client
 * disconnects or the thread is deleted.
 */
export const streamRoute = route({
  method: 'get',
  path: '/threads/:thread_id/stream',
  group: 'threads',
  tag: 'Threads',
  summary: 'Events of all runs of a thread, as they occur',
  query: threadStreamQuery,
  headers: { 'Last-Event-ID': threadLastEventId },
  answers: { 200: 'events' },
  action: 'event.read',
  auth: aboutThread('threads:read'),
  async handle(context, { viewer, params: { thread_id: threadId }, query, headers, res }) {
    const modes = [...(query.stream_mode ?? []), ...(query.stream_modes ?? [])];
    const { caller } = viewer;
    const [tail] = await Promise.all([context.events.tail(caller, threadId), findThread(context, caller, threadId)]);
    const start = { threadId, afterSeq: headers['Last-Event-ID'] ?? tail };
    await streamThread(context, viewer, res, start, modes.length > 0 ? modes : ['run_modes']);
  },
});

async function streamThread(
  context: ApiContext,
  { caller, access }: Viewer,
  res: Response,
  start: { threadId: string; afterSeq: number },
  modes: ThreadStreamMode[],
): Promise<void> {
  const watch = watchThread(context, caller, start.threadId);
  const rights = watchAccess(context, access, start.threadId);
  const left = new AbortController();
  if (res.closed) left.abort();
  else res.once('close', () => left.abort());
  const { signal } = firstOf(left.signal, watch.gone, rights.lost, context.shutdown);
  try {
    res.setHeader('Location', `/threads/${start.threadId}/stream`);
    openEventStream(res);
    // Send the current offset as an event id at once. A client that loses its connection before the
    // first event can then resume without a gap.
    res.write(`id: ${Date.now()}-${start.afterSeq}\n\n`);
    await writeEvents(res, threadEvents(rights.events, caller, { ...start, modes, signal }), context.options);
  } finally {
    watch.stop();
    rights.stop();
  }
  if (watch.gone.aborted) res.end();
  else res.destroy();
}

/**
 * Reads the thread's record at an interval, and aborts `gone` when the thread no longer exists.
 * This is necessary because no event reports the deletion of a thread.
 */
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
