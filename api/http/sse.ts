import { once } from 'node:events';
import type { Response } from 'express';
import { ColloquyError, firstOf } from '../../protocol/index.js';
import type { ApiOptions } from '../context.js';
import type { ClientEvent } from '../../conversations/run-events.js';

/**
 * Sends the status line and the headers at once, before any event. The client reads the id of its
 * run from the headers.
 */
export function openEventStream(res: Response): void {
  res.status(200);
  res.setHeader('Content-Type', 'text/event-stream; charset=utf-8');
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('X-Accel-Buffering', 'no');
  res.flushHeaders();
}

/**
 * Writes batches of events to a client. Takes the next batch only when the socket has accepted the
 * previous one, so that a slow client costs the memory of one batch. Also writes comment lines at
 * an interval, which show that the stream is alive. Resolves when the batches end.
 */
export async function writeEvents(
  res: Response,
  batches: AsyncIterable<ClientEvent[]>,
  { heartbeatMs, stalledClientMs }: Pick<ApiOptions, 'heartbeatMs' | 'stalledClientMs'>,
): Promise<void> {
  const heartbeat = setInterval(() => {
    if (!res.writableNeedDrain) res.write(': heartbeat\n\n');
  }, heartbeatMs);
  try {
    for await (const batch of batches) {
      if (batch.length === 0) continue;
      if (!res.write(batch.map(eventText).join(''))) await waitForDrain(res, stalledClientMs);
    }
  } finally {
    clearInterval(heartbeat);
  }
}

function eventText({ id, event, data }: ClientEvent): string {
  return `id: ${id}\nevent: ${event}\ndata: ${data}\n\n`;
}

async function waitForDrain(res: Response, timeoutMs: number): Promise<void> {
  const closed = new AbortController();
  const onClose = () => closed.abort();
  res.once('close', onClose);
  const { signal, release } = firstOf(closed.signal, AbortSignal.timeout(timeoutMs));
  try {
    await once(res, 'drain', { signal });
  } catch (error) {
    if (closed.signal.aborted) return;
    throw new ColloquyError('unavailable', `the client took nothing for ${timeoutMs} ms`, { cause: error });
  } finally {
    release();
    res.off('close', onClose);
  }
}
