import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import {
  completionOf,
  piecesOf,
  ModelScript,
  type ChatRequest,
  type ModelReply,
  type ModelRule,
} from './model-script.js';

/**
 * How the exchange of a request and its answer ended: fully answered, aborted by the client, or cut
 * by the script.
 */
export type ExchangeEnd = 'answered' | 'aborted' | 'cut';

/** A request to the model server, and its answer. */
export interface ModelExchange {
  headers: IncomingMessage['headers'];
  body: ChatRequest;
  reply: ModelReply;
  /** Number of pieces of a streamed answer that the server has sent so far. */
  sent: number;
  /** Resolves when the answer stalls because of `reply.stallAfter`. */
  stalled: Promise<void>;
  ended: Promise<ExchangeEnd>;
}

export interface ModelServerOptions {
  port?: number;
  rules?: ModelRule[];
}

/**
 * An OpenAI-compatible server with scripted answers: chat completions with and without streaming,
 * tool calls in pieces, stalls, errors and cut connections. If no rule matches a request, the
 * answer repeats the user's message.
 */
export class ModelServer {
  readonly exchanges: ModelExchange[] = [];
  readonly #script = new ModelScript();
  readonly #server: Server;
  readonly #waiting: { index: number; resolve: (exchange: ModelExchange) => void }[] = [];
  #gate = openable();

  private constructor(rules: readonly ModelRule[]) {
    for (const rule of rules) this.#script.add(rule);
    this.#server = createServer((request, response) => {
      this.#handle(request, response).catch((error: unknown) => {
        if (!response.headersSent)
          sendJson(response, 400, { error: { message: String(error), type: 'invalid_request_error' } });
        else response.destroy();
      });
    });
  }

  static async start({ port = 0, rules = [] }: ModelServerOptions = {}): Promise<ModelServer> {
    const server = new ModelServer(rules);
    server.#server.listen(port, '127.0.0.1');
    await once(server.#server, 'listening');
    return server;
  }

  /** Base URL for an OpenAI client. */
  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/v1`;
  }

  /** Adds a rule. Newer rules take precedence. */
  add(rule: ModelRule): void {
    this.#script.add(rule);
  }

  /** Removes all rules and recorded exchanges. Running exchanges continue. */
  reset(): void {
    this.#script.clear();
    this.exchanges.length = 0;
  }

  /** Returns the exchange with this index, from 0, as soon as its request has arrived. */
  exchange(index: number): Promise<ModelExchange> {
    const arrived = this.exchanges[index];
    if (arrived) return Promise.resolve(arrived);
    return new Promise((resolve) => this.#waiting.push({ index, resolve }));
  }

  /** Continues all stalled answers. */
  release(): void {
    this.#gate.open();
    this.#gate = openable();
  }

  async close(): Promise<void> {
    this.release();
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }

  async #handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const route = `${request.method} ${request.url}`;
    if (route === 'GET /v1/models')
      return sendJson(response, 200, { object: 'list', data: [{ id: 'scripted', object: 'model' }] });
    if (route === 'POST /v1/chat/completions') return this.#complete(request, response);
    if (await this.#control(route, request, response)) return;
    sendJson(response, 404, { error: { message: `no route ${route}`, type: 'invalid_request_error' } });
  }

  /**
   * Handles the routes with which another process controls this server. Returns false for any other
   * route.
   */
  async #control(route: string, request: IncomingMessage, response: ServerResponse): Promise<boolean> {
    if (route === 'POST /control/rules') this.add((await readJson(request)) as ModelRule);
    else if (route === 'POST /control/release') this.release();
    else if (route === 'POST /control/reset') this.reset();
    else if (route !== 'GET /control/exchanges') return false;
    sendJson(
      response,
      200,
      this.exchanges.map(({ body, reply, sent }) => ({ body, reply, sent })),
    );
    return true;
  }

  async #complete(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = (await readJson(request)) as ChatRequest;
    if (!Array.isArray(body.messages)) throw new Error('messages: expected an array');
    const reply = this.#script.replyTo(body);
    const stalled = openable();
    const { opened: ended, open: end } = openable<ExchangeEnd>();
    const exchange: ModelExchange = { headers: request.headers, body, reply, sent: 0, stalled: stalled.opened, ended };
    // A finished response emits `finish` and then `close`. Only the first call of `end` counts.
    response.once('finish', () => end('answered'));
    response.once('close', () => end('aborted'));
    const cut = () => {
      end('cut');
      response.destroy();
    };
    this.#record(exchange);
    await this.#answer(exchange, response, stalled.open, cut);
  }

  #record(exchange: ModelExchange): void {
    const index = this.exchanges.push(exchange) - 1;
    for (const waiter of this.#waiting.filter((waiter) => waiter.index === index)) waiter.resolve(exchange);
  }

  async #answer(exchange: ModelExchange, response: ServerResponse, stall: () => void, cut: () => void): Promise<void> {
    const { body, reply } = exchange;
    const pieces = body.stream ? piecesOf(body, reply) : [];
    const [cutAt, stallAt] = [reply.cutAfter, reply.stallAfter].map((after) => after && Math.min(after, pieces.length));
    for (let index = 0; index <= pieces.length; index += 1) {
      if (cutAt === index) return cut();
      if (stallAt === index) {
        stall();
        await Promise.race([this.#gate.opened, exchange.ended]);
      }
      if (response.destroyed) return;
      if (index === 0 && reply.status !== undefined) return sendError(response, reply);
      if (!body.stream && reply.delayMs) await delay(reply.delayMs);
      if (!body.stream) return sendJson(response, 200, completionOf(body, reply));
      if (index === 0)
        response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' });
      const piece = pieces[index];
      if (!piece) break;
      if (reply.delayMs) await delay(reply.delayMs);
      // Wait until the piece is written. Otherwise the piece might not be sent if the script cuts
      // the connection next.
      await new Promise<void>((resolve) => response.write(`data: ${JSON.stringify(piece)}\n\n`, () => resolve()));
      exchange.sent += 1;
    }
    response.end('data: [DONE]\n\n');
  }
}

function sendError(response: ServerResponse, { status = 500, retryAfterSeconds }: ModelReply): void {
  const retryAfter: Record<string, string> =
    retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) };
  const code = status === 401 ? 'invalid_api_key' : status === 429 ? 'rate_limit_exceeded' : 'server_error';
  sendJson(
    response,
    status,
    { error: { message: `scripted error ${status}`, type: code, param: null, code } },
    retryAfter,
  );
}

function sendJson(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const part of request.setEncoding('utf8')) text += String(part);
  return JSON.parse(text);
}

function openable<T = void>(): { opened: Promise<T>; open: (value: T) => void } {
  let open!: (value: T) => void;
  const opened = new Promise<T>((resolve) => (open = resolve));
  return { opened, open };
}
