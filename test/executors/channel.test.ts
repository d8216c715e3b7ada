import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { Channel } from '../../executors/channel.js';

/** Returns the two ends of a TCP connection of this process. */
async function pair(): Promise<[Socket, Socket]> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [accepted] = (await once(server, 'connection')) as [Socket];
  server.close();
  return [client, accepted];
}

describe('a channel between two processes', () => {
  it('delivers messages in order, with dates, maps, undefined and a length of megabytes', async () => {
    const [left, right] = await pair();
    const messages = [
      { at: new Date(0), of: new Map([['a', 1n]]), nothing: undefined },
      'x'.repeat(5_000_000),
      [1, 2, 3],
      '',
    ];
    const received: unknown[] = [];
    const all = new Promise<void>((done) => {
      new Channel<never, unknown>(
        right,
        (message) => {
          received.push(message);
          if (received.length === messages.length) done();
        },
        () => undefined,
      );
    });
    const sender = new Channel<unknown, never>(
      left,
      () => undefined,
      () => undefined,
    );
    for (const message of messages) sender.send(message);
    await all;
    expect(received).toEqual(messages);
    left.destroy();
    right.destroy();
  });

  it('reports once that it is closed, and then sends nothing', async () => {
    const [left, right] = await pair();
    let closings = 0;
    const isClosed = new Promise<void>((done) => {
      const channel = new Channel<string, never>(
        left,
        () => undefined,
        () => {
          closings += 1;
          setImmediate(() => {
            channel.send('too late');
            done();
          });
        },
      );
    });
    right.destroy();
    await isClosed;
    expect(closings).toBe(1);
    left.destroy();
  });
});
