import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Request } from 'express';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import { ColloquyError, firstOf, type Caller } from '../../protocol/index.js';
import { uuid } from '../../protocol/schemas/index.js';
import { allowCommand } from '../auth/gate.js';
import type { AuthUser } from '../auth/ports.js';
import { completeContext, type ApiContext, type ApiDependencies } from '../context.js';
import { answerTo } from '../errors.js';
import { parse, parseJson } from '../validate.js';
import { errorResponse, followCommand, readCommand, type CommandResponse } from './commands.js';
import { Subscriptions } from './subscriptions.js';

const PATH = /^\/threads\/([^/]+)\/stream\/events\/?$/;
/** Close codes: LangGraph's SDK reads 4000 + the HTTP status that a request would have got; after 1012 it comes back. */
const STATUS_BASE = 4_000;
const SERVICE_RESTART = 1012;
const TRY_AGAIN_LATER = 1013;
/** How long a client may take to answer a close. */
const CLOSE_GRACE_MS = 1_000;

/** Serves protocol v2 over WebSockets on an HTTP server: commands and subscriptions of one thread on one connection. */
export function serveWebSockets(server: Server, deps: ApiDependencies): void {
  const context = completeContext(deps);
  const sockets = new WebSocketServer({ noServer: true, maxPayload: context.options.bodyLimitBytes });
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const threadId = PATH.exec(path)?.[1];
    if (threadId === undefined) {
      socket.end('HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n');
      return;
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      void serve(context, request, webSocket, threadId).catch((error: unknown) => refuse(context, webSocket, error));
    });
  });
}

async function serve(context: ApiContext, request: IncomingMessage, socket: WebSocket, path: string): Promise<void> {
  const heard = mailbox(socket);
  socket.on('error', (error) => context.report(error, 'WebSocket'));
  checkOrigin(context, request);
  const threadId = parse(uuid, decodeURIComponent(path), 'thread_id');
  // Authentication reads headers and address of a request, which an upgrade has too.
  const known = await context.authenticate(request as Request);
  const who = await context.auth?.authenticate(request);
  const caller: Caller = who ? { ...known, principal: { kind: 'user', id: who.user.identity } } : known;
  const connection = new Connection(context, socket, { caller, threadId, ...(who && { who }) });
  heard.open((message) => connection.hear(message));
}

class Connection {
  readonly #gone = new AbortController();
  readonly #subscriptions: Subscriptions;
  #answeredAt = Date.now();
  #followed = Promise.resolve();

  constructor(
    private readonly context: ApiContext,
    private readonly socket: WebSocket,
    private readonly place: { caller: Caller; threadId: string; who?: AuthUser },
  ) {
    const { signal } = firstOf(this.#gone.signal, context.shutdown);
    const fail = (error: unknown) => this.#fail(error);
    this.#subscriptions = new Subscriptions(context, place, { signal, send: (text) => this.#send(text), fail });
    const heartbeat = setInterval(() => this.#beat(), context.options.heartbeatMs).unref();
    const restart = () => {
      socket.close(SERVICE_RESTART, 'the server restarts');
      setTimeout(() => socket.terminate(), CLOSE_GRACE_MS).unref();
    };
    if (context.shutdown.aborted) restart();
    context.shutdown.addEventListener('abort', restart);
    socket.on('pong', () => (this.#answeredAt = Date.now()));
    socket.once('close', () => {
      clearInterval(heartbeat);
      context.shutdown.removeEventListener('abort', restart);
      this.#gone.abort();
    });
  }

  /** Commands of a connection are followed one after the other, as they came. */
  hear(data: RawData): void {
    this.#followed = this.#followed.then(() => this.#follow(data)).catch((error: unknown) => this.#fail(error));
  }

  async #follow(data: RawData): Promise<void> {
    const command = this.#read(data);
    if (command === undefined) return;
    const handlers = this.#subscriptions.handlers;
    const { caller, threadId } = this.place;
    const response =
      (await this.#refusal(command)) ?? (await followCommand(this.context, { caller, threadId }, command, handlers));
    await this.#send(JSON.stringify(response));
    // A subscription tells its events once its client knows its id.
    this.#subscriptions.begin();
  }

  /** What a project's auth has against a command, which it may change; asked as for the routes that HTTP has for the same. */
  async #refusal(command: ReturnType<typeof readCommand>): Promise<CommandResponse | undefined> {
    const { auth } = this.context;
    const { caller, threadId, who } = this.place;
    if (auth === undefined || who === undefined) return undefined;
    const events = command.method.startsWith('subscription.');
    const route = events ? 'post /threads/:thread_id/stream/events' : 'post /threads/:thread_id/commands';
    try {
      await allowCommand(this.context, auth, { who, caller, threadId }, { route, body: command });
      return undefined;
    } catch (error) {
      const denied = [401, 403].includes(answerTo(error).status);
      const fault = denied ? new ColloquyError('forbidden', answerTo(error).message, { cause: error }) : error;
      return errorResponse(this.context, command.id, fault, command.method);
    }
  }

  #read(data: RawData): ReturnType<typeof readCommand> | undefined {
    try {
      return readCommand(parseJson(textOf(data), 'a command'));
    } catch (error) {
      void this.#send(JSON.stringify(errorResponse(this.context, null, error, 'of a WebSocket')));
      return undefined;
    }
  }

  /** Resolves when the socket has taken the text, so that a slow client slows its reader down. */
  #send(text: string): Promise<void> {
    return new Promise((resolve) => {
      if (this.socket.readyState !== this.socket.OPEN) resolve();
      else this.socket.send(text, () => resolve());
    });
  }

  #beat(): void {
    if (Date.now() - this.#answeredAt > this.context.options.stalledClientMs) this.socket.terminate();
    else this.socket.ping();
  }

  #fail(error: unknown): void {
    this.context.report(error, `WebSocket of thread ${this.place.threadId}`);
    this.socket.close(TRY_AGAIN_LATER, 'the server cannot go on');
  }
}

/** Browsers let any page open a WebSocket, and say only from where. */
function checkOrigin({ options }: ApiContext, { headers: { origin } }: IncomingMessage): void {
  const { corsOrigins } = options;
  if (origin === undefined || corsOrigins.includes('*') || corsOrigins.includes(origin)) return;
  throw new ColloquyError('forbidden', `origin ${origin} may not call this server`);
}

/** Keeps what comes before somebody listens. */
function mailbox(socket: WebSocket): { open(listener: (data: RawData) => void): void } {
  const waiting: RawData[] = [];
  const keep = (data: RawData) => waiting.push(data);
  socket.on('message', keep);
  return {
    open: (listener) => {
      socket.off('message', keep);
      waiting.splice(0).forEach(listener);
      socket.on('message', listener);
    },
  };
}

function refuse(context: ApiContext, socket: WebSocket, error: unknown): void {
  const { status, message } = answerTo(error);
  if (status >= 500) context.report(error, 'WebSocket');
  // A reason has room for 123 bytes.
  socket.close(
    status >= 500 ? TRY_AGAIN_LATER : STATUS_BASE + status,
    Buffer.from(message).subarray(0, 120).toString(),
  );
}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString('utf8');
  return Buffer.isBuffer(data) ? data.toString('utf8') : Buffer.from(data).toString('utf8');
}
