import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { Readable, duplexPair, type Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import type { Express, Response as ExpressResponse } from 'express';
import type { WebBody } from './web-bridge.js';

type Locals = ExpressResponse['locals'];

/** Statuses of HTTP answers without a body. `Response` accepts only `null` as their body. */
const BODILESS = [204, 205, 304];

/**
 * Lets a project's app call Colloquy's own routes through `fetch`, so that the app can read the
 * answers. The requests go through a real HTTP server over connections in memory. So streams,
 * disconnects and answers that break off behave as on the network.
 */
export class InnerServer {
  readonly #server;
  readonly #localsOf = new WeakMap<object, Locals>();

  /**
   * Each response of this inner server gets the `locals` of the outer response. The outer response
   * goes to the client, and its `locals` contain the caller. So the inner routes find the caller.
   */
  constructor(routes: Express) {
    this.#server = createServer((req, res) => {
      Object.assign(res, { locals: this.#localsOf.get(req.socket) });
      routes(req, res);
    });
    this.#server.requestTimeout = 0;
    this.#server.headersTimeout = 0;
  }

  async fetch(request: Request, locals: Locals, body: WebBody = request.body as WebBody): Promise<Response> {
    const [clientSide, serverSide] = duplexPair();
    this.#localsOf.set(serverSide, locals);
    this.#server.emit('connection', serverSide);
    const response = await this.#send(request, clientSide, body);
    const status = response.statusCode ?? 500;
    const headers = new Headers();
    for (const [name, value] of Object.entries(response.headersDistinct)) {
      for (const item of value ?? []) headers.append(name, item);
    }
    if (BODILESS.includes(status)) response.resume();
    return new Response(BODILESS.includes(status) ? null : (Readable.toWeb(response) as ReadableStream<Uint8Array>), {
      status,
      headers,
    });
  }

  #send(request: Request, connection: Duplex, body: WebBody): Promise<IncomingMessage> {
    const url = new URL(request.url);
    const headers = Object.fromEntries(request.headers);
    // The app may have replaced the body, so the old `content-length` can be wrong. A GET request
    // without a body must not have this header.
    if (body === null || body !== request.body) delete headers['content-length'];
    return new Promise((resolve, reject) => {
      const outgoing = httpRequest({
        createConnection: () => connection as never,
        method: request.method,
        path: `${url.pathname}${url.search}`,
        headers: { host: url.host, ...headers, connection: 'close' },
        signal: request.signal,
      });
      outgoing.once('response', resolve);
      outgoing.once('error', reject);
      if (body === null) outgoing.end();
      else pipeline(Readable.fromWeb(new Response(body).body as never), outgoing).catch(reject);
    });
  }
}
