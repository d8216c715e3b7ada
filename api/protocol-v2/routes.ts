import type { Request, Response, Router } from 'express';
import { firstOf } from '../../protocol/index.js';
import { eventStreamRequest, idempotencyKey, lastProtocolEventId } from '../../protocol/schemas/index.js';
import { accessOf } from '../auth/access.js';
import { watchAccess } from '../auth/stream-access.js';
import { callerOf, type ApiContext } from '../context.js';
import type { ClientEvent } from '../../conversations/run-events.js';
import { bodyOf, pathId } from '../http/params.js';
import { createRouter } from '../http/router.js';
import { openEventStream, writeEvents } from '../http/sse.js';
import { parse } from '../http/validate.js';
import { channelFilter } from './channels.js';
import { followCommand, readCommand } from './commands.js';
import type { ProtocolEvent } from './events.js';
import { threadEvents } from './thread-events.js';

/** Protocol v2 over HTTP: commands, and event streams that stay open over runs. */
export function protocolRoutes(context: ApiContext): Router {
  const router = createRouter();

  router.post('/threads/:thread_id/commands', async (req, res) => {
    const key = req.headers['idempotency-key'];
    const place = {
      caller: callerOf(res),
      access: accessOf(context, res),
      threadId: pathId(req, 'thread_id'),
      ...(key !== undefined && { key: parse(idempotencyKey, key, 'Idempotency-Key') }),
    };
    res.json(await followCommand(context, place, readCommand(bodyOf(req))));
  });

  router.post('/threads/:thread_id/stream/events', (req, res) => streamEvents(context, req, res));

  return router;
}

async function streamEvents(context: ApiContext, req: Request, res: Response): Promise<void> {
  const threadId = pathId(req, 'thread_id');
  const filter = parse(eventStreamRequest, bodyOf(req), 'request body');
  const lastId = req.headers['last-event-id'];
  const since = lastId === undefined ? (filter.since ?? 0) : parse(lastProtocolEventId, lastId, 'Last-Event-ID');
  const gone = new AbortController();
  if (res.closed) return;
  res.once('close', () => gone.abort());
  const watch = watchAccess(context, accessOf(context, res), threadId);
  const { signal } = firstOf(gone.signal, watch.lost, context.shutdown);
  const wanted = channelFilter(filter);
  const scoped = { ...context, events: watch.events };
  const events = threadEvents(scoped, callerOf(res), { threadId, since, signal });
  openEventStream(res);
  try {
    await writeEvents(res, told(), context.options);
  } finally {
    watch.stop();
  }
  // It ends only where this process does: cut off, so that the client comes back elsewhere.
  res.destroy();

  async function* told(): AsyncGenerator<ClientEvent[]> {
    for await (const batch of events) yield batch.filter(wanted).map(clientEvent);
  }
}

function clientEvent(event: ProtocolEvent): ClientEvent {
  return { id: event.event_id, event: event.method, data: JSON.stringify(event) };
}
