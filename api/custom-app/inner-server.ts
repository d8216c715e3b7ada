import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { Readable, duplexPair, type Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import type { Express, Response as ExpressResponse } from 'express';
import type { WebBody } from './web-bridge.js';

type Locals = ExpressResponse['locals'];

/** Statuses whose answer has no body, not even an empty one. */
const BODILESS = [204, 205, 304];

/**
 * Our routes as `fetch`: for a project's app that wants to see their answers. Requests go through a real HTTP server on connections
 * in memory, so that a stream, a client that leaves and an answer that is cut off are what they are outside.
 */
export class InnerServer {
  readonly #server;
  readonly #localsOf = new WeakMap<object, Locals>();

  /** What is known of the outer request, its caller above all, holds for the inner one. */
  constructor(routes: Express) {
    this.#server = createServer((req, res) => {
      Object.assign(res, { locals: this.#localsOf.get(req.socket) });
      routes(req, res);
    });
    this.#server.requestTimeout = 0;
    this.#server.headersTimeout = 0;
  }

  async fetch(request: Request, locals: Locals, body: WebBody = request.body as WebBody): Promise<Response> {
    const [near, far] = duplexPair();
    this.#localsOf.set(far, locals);
    this.#server.emit('connection', far);
    const response = await this.#send(request, near, body);
    const status = response.statusCode ?? 500;
    const headers = new Headers();
    for (const [name, value] of Object.entries(response.headersDistinct)) {
      for (const one of value ?? []) headers.append(name, one);
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
    // The length of a body that was changed is another one, and `fetch` gives no body to a GET that has one.
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
