import { afterEach, describe, expect, it } from '@jest/globals';
import { createServer, get, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import type { ClientEvent } from '../../conversations/run-events.js';
import { openEventStream, writeEvents } from '../../api/http/sse.js';

const BATCH: ClientEvent[] = [{ id: '1-1', event: 'custom', data: JSON.stringify('x'.repeat(1_000_000)) }];
const BATCHES = 64;

describe('slow clients', () => {
  let server: Server;

  afterEach(() => {
    server.closeAllConnections();
    server.close();
  });

  it('stop the server from reading further batches of events, until the client reads again', async () => {
    const stream = counted();
    const { response, done } = await stalled(stream.batches(), 60_000);
    await stream.blocked;
    expect(stream.asked()).toBeLessThan(BATCHES / 2);
    response.resume();
    await done;
    expect(stream.asked()).toBe(BATCHES);
  });

  it('are disconnected if they read nothing for too long', async () => {
    const { done } = await stalled(counted().batches(), 20);
    await expect(done).rejects.toMatchObject({ code: 'unavailable', message: 'the client took nothing for 20 ms' });
  });

  /**
   * Returns a source of batches that counts how many were read. `blocked` resolves when no batch
   * has been read for 100 ms.
   */
  function counted() {
    let asked = 0;
    let block = () => {};
    const blocked = new Promise<void>((resolve) => (block = resolve));
    async function* batches() {
      while (asked < BATCHES) {
        asked += 1;
        const before = asked;
        setTimeout(() => asked === before && block(), 100);
        yield BATCH;
      }
    }
    return { batches, blocked, asked: () => asked };
  }

  /**
   * Starts a server that sends the batches, and a client that reads only the headers. `done`
   * settles when the server has sent all batches or has disconnected the client.
   */
  async function stalled(batches: AsyncIterable<ClientEvent[]>, stalledClientMs: number) {
    const app = express();
    let finish: (value: Promise<void>) => void = () => {};
    const written = new Promise<Promise<void>>((resolve) => (finish = (promise) => resolve(promise)));
    app.get('/', (_req, res) => {
      openEventStream(res);
      const done = writeEvents(res, batches, { heartbeatMs: 60_000, stalledClientMs });
      done.then(() => res.end()).catch(() => res.destroy());
      finish(done.then(() => undefined));
    });
    server = createServer(app);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const response = await new Promise<IncomingMessage>((resolve) => get(`http://127.0.0.1:${port}`, resolve));
    response.on('error', () => undefined);
    return { response, done: written };
  }
});
