import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

/**
 * Returns the HTTP answer to request number `n`. The first request has number 1. For `nothing`, the
 * server does not answer.
 */
export type ReceiverReply = (
  n: number,
) => { status: number; headers?: Record<string, string>; body?: string } | 'nothing';

/** A real HTTP server that records the requests that it receives. */
export class Receiver {
  readonly received: Received[] = [];
  reply: ReceiverReply = () => ({ status: 200 });
  readonly #waiting = new Set<() => void>();

  private constructor(private readonly server: Server) {
    server.on('request', (request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        const body = Buffer.concat(parts).toString('utf8');
        this.received.push({ path: request.url ?? '', headers: request.headers, body });
        const reply = this.reply(this.received.length);
        if (reply !== 'nothing') response.writeHead(reply.status, reply.headers).end(reply.body);
        for (const wake of this.#waiting) wake();
      });
    });
  }

  static async start(): Promise<Receiver> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Receiver(server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Waits for the `n`-th request that matches, and returns it. The first one has number 1. */
  async waitFor(n: number, matches: (received: Received) => boolean = () => true): Promise<Received> {
    for (;;) {
      const found = this.received.filter(matches)[n - 1];
      if (found !== undefined) return found;
      await new Promise<void>((wake) => {
        const once = () => {
          this.#waiting.delete(once);
          wake();
        };
        this.#waiting.add(once);
      });
    }
  }

  async close(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }
}
