import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A TCP proxy in front of a real server. It simulates network failures. */
export interface TcpProxy {
  port: number;
  /**
   * Forwards the next request that contains this string. Then cuts the connection before the client
   * gets the answer.
   */
  loseAnswerTo(text: string): void;
  /**
   * Does not forward the next request that contains this string, and stops reading its connection.
   * The promise resolves when that has happened.
   */
  stopReadingAt(text: string): Promise<void>;
  /** Cuts all connections. */
  cut(): void;
  /** Cuts all connections and accepts no new ones until {@link restore} is called. */
  refuse(): void;
  restore(): void;
  /** Returns how many answers were lost because of {@link loseAnswerTo}. */
  lost(): number;
  close(): Promise<void>;
}

export async function startTcpProxy(target: { host: string; port: number }): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let refusing = false;
  let losing: string | undefined;
  let lost = 0;
  let stopping: { at: string; stopped: () => void } | undefined;

  const server = createServer((client) => {
    if (refusing) return void client.destroy();
    const upstream = connect(target);
    let loseAnswer = false;
    const cut = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) {
      sockets.add(socket.setNoDelay(true));
      socket.on('error', cut);
      socket.on('close', () => {
        sockets.delete(socket);
        cut();
      });
    }
    client.on('data', (request) => {
      if (stopping !== undefined && request.includes(stopping.at)) {
        client.pause();
        stopping.stopped();
        stopping = undefined;
        return;
      }
      if (losing !== undefined && request.includes(losing)) {
        losing = undefined;
        loseAnswer = true;
      }
      upstream.write(request);
    });
    upstream.on('data', (answer) => {
      if (!loseAnswer) return void client.write(answer);
      lost += 1;
      cut();
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');

  const cut = () => sockets.forEach((socket) => socket.destroy());
  return {
    port: (server.address() as AddressInfo).port,
    loseAnswerTo: (text) => void (losing = text),
    stopReadingAt: (at) => new Promise((stopped) => (stopping = { at, stopped })),
    cut,
    refuse: () => {
      refusing = true;
      cut();
    },
    restore: () => void (refusing = false),
    lost: () => lost,
    close: async () => {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
