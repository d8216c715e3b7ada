import { ServerResponse, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Request, Response } from 'express';
import { WebSocketServer, type RawData, type WebSocket } from 'ws';
import { ColloquyError, firstOf, type Caller } from '../../protocol/index.js';
import { uuid } from '../../protocol/schemas/index.js';
import { ProjectAccess } from '../auth/access.js';
import { OPEN_ACCESS, type Access } from '../../conversations/access.js';
import { callerOf, identifyCaller, sessionOf } from '../auth/authentication.js';
import { enterCommand } from '../auth/gate.js';
import { watchAccess, type StreamAccess } from '../auth/stream-access.js';
import type { ApiContext } from '../context.js';
import { mayCall, refusedOrigin } from '../http/cors.js';
import { customAppGate } from '../custom-app/custom-app.js';
import { answerTo } from '../http/errors.js';
import { refuseUpgrade } from '../http/raw-answer.js';
import { parse, parseJson } from '../http/validate.js';
import { errorResponse, followCommand, readCommand, type CommandResponse } from './commands.js';
import { COMMAND_RULE, EVENTS_RULE } from './routes.js';
import { Subscriptions } from './subscriptions.js';

const PATH = /^\/threads\/([^/?]+)\/stream\/events(?:\?|$)/;
/** Close codes: LangGraph's SDK reads 4000 + the HTTP status that a request would have got; after 1012 it comes back. */
const STATUS_BASE = 4_000;
const SERVICE_RESTART = 1012;
const TRY_AGAIN_LATER = 1013;
/** How long a client may take to answer a close, before its connection is destroyed. */
const CLOSE_GRACE_MS = 1_000;
/** A client that sends commands faster than they are followed is not read beyond so many. */
const MOST_WAITING = 100;

/** A client that sends so many messages that are no commands is not one of this protocol. */
const MOST_FAULTS = 100;

/** Whose connection it is, to which thread, and what they may see. */
interface Place {
  caller: Caller;
  threadId: string;
  access: Access;
}

/**
 * Takes upgrade requests to WebSockets of protocol v2: commands and subscriptions of one thread on one connection. The client is
 * known before the upgrade is answered, so nothing of a client that is refused is read.
 */
export function webSocketUpgrades(
  context: ApiContext,
): (request: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void> {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: context.options.bodyLimitBytes });
  const passApp = customAppGate(context.http.app);
  return async (request, socket, head) => {
    const path = context.http.disabled.includes('runs') ? undefined : PATH.exec(request.url ?? '')?.[1];
    if (path === undefined) {
      refuseUpgrade(socket, { status: 404, message: `Not Found: ${request.url} takes no WebSocket` });
      return;
    }
    const admitted = await admit(context, request, path, passApp).catch((error: unknown) => ({ error }));
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      // A frame that is none, or a connection that broke: `ws` closes it, and nobody here has to do anything.
      webSocket.on('error', () => undefined);
      if ('error' in admitted) closeFor(context, webSocket, admitted.error, 'WebSocket');
      else new Connection(context, webSocket, admitted);
    });
  };
}

/** Asks what a request to a route would be asked. Errors: `forbidden`, `invalid_argument`, `unauthenticated`, those of the project. */
async function admit(
  context: ApiContext,
  request: IncomingMessage,
  path: string,
  passApp: ReturnType<typeof customAppGate>,
): Promise<Place> {
  checkOrigin(context, request);
  // Authentication reads headers and address of a request, which an upgrade has too; what it finds stands beside a response.
  const res = new ServerResponse(request) as Response;
  res.locals = {};
  await identifyCaller(context, request as Request, res);
  const threadId = parse(uuid, decoded(path), 'thread_id');
  await passApp(request, res);
  const caller = callerOf(res);
  const access = context.auth ? new ProjectAccess(context.threads, context.auth, caller, sessionOf(res)) : OPEN_ACCESS;
  return { caller, threadId, access };
}

/** A path whose escapes are none is no UUID either. */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

class Connection {
  readonly #gone = new AbortController();
  readonly #subscriptions: Subscriptions;
  readonly #watch: StreamAccess;
  #answeredAt = Date.now();
  #followed = Promise.resolve();
  #waiting = 0;
  #faults = 0;

  constructor(
    private readonly context: ApiContext,
    private readonly socket: WebSocket,
    private readonly place: Place,
  ) {
    const { signal } = firstOf(this.#gone.signal, context.shutdown);
    this.#watch = watchAccess(context, place.access, place.threadId);
    const { lost, events } = this.#watch;
    const wire = { signal, send: (text: string) => this.#send(text), fail: (error: unknown) => this.#fail(error) };
    this.#subscriptions = new Subscriptions({ ...context, events }, place, wire);
    const heartbeat = setInterval(() => this.#beat(), context.options.heartbeatMs).unref();
    const restart = () => closeSoon(socket, SERVICE_RESTART, 'the server restarts');
    if (context.shutdown.aborted) restart();
    context.shutdown.addEventListener('abort', restart);
    lost.addEventListener('abort', () => this.#fail(lost.reason), { once: true });
    socket.on('message', (data) => this.#hear(data));
    socket.on('pong', () => (this.#answeredAt = Date.now()));
    socket.once('close', () => {
      clearInterval(heartbeat);
      this.#watch.stop();
      context.shutdown.removeEventListener('abort', restart);
      this.#gone.abort();
    });
  }

  /** Commands of a connection are followed one after the other, as they came. */
  #hear(data: RawData): void {
    this.#waiting += 1;
    if (this.#waiting === MOST_WAITING) this.socket.pause();
    this.#followed = this.#followed
      .then(() => this.#follow(data))
      .catch((error: unknown) => this.#fail(error))
      .then(() => {
        this.#waiting -= 1;
        if (this.#waiting === MOST_WAITING - 1) this.socket.resume();
      });
  }

  async #follow(data: RawData): Promise<void> {
    // Messages after a close are ignored.
    if (this.socket.readyState !== this.socket.OPEN) return;
    const command = this.#read(data);
    if (!('method' in command)) {
      await this.#send(JSON.stringify(command));
      this.#faults += 1;
      if (this.#faults > MOST_FAULTS)
        throw new ColloquyError('invalid_argument', `more than ${MOST_FAULTS} messages were no commands`);
      return;
    }
    const handlers = this.#subscriptions.handlers;
    const { caller, threadId } = this.place;
    const asked = await this.#ask(command);
    const response =
      'refusal' in asked
        ? asked.refusal
        : await followCommand(this.context, { caller, threadId, ...asked }, command, handlers);
    await this.#send(JSON.stringify(response));
    // A subscription tells its events once its client knows its id.
    this.#subscriptions.begin();
  }

  /** Asks a project's auth, which may change the command; as for the routes that HTTP has for the same. */
  async #ask(command: ReturnType<typeof readCommand>): Promise<{ access: Access } | { refusal: CommandResponse }> {
    const { access, threadId } = this.place;
    if (!(access instanceof ProjectAccess)) return { access };
    const rule = command.method.startsWith('subscription.') ? EVENTS_RULE : COMMAND_RULE;
    try {
      return { access: await enterCommand(this.context, rule, { access, threadId }, command) };
    } catch (error) {
      const denied = [401, 403].includes(answerTo(error).status);
      const fault = denied ? new ColloquyError('forbidden', answerTo(error).message, { cause: error }) : error;
      return { refusal: errorResponse(this.context, command.id, fault, command.method) };
    }
  }

  #read(data: RawData): ReturnType<typeof readCommand> | CommandResponse {
    try {
      return readCommand(parseJson(textOf(data), 'a command'));
    } catch (error) {
      return errorResponse(this.context, null, error, 'of a WebSocket');
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
    closeFor(this.context, this.socket, error, `WebSocket of thread ${this.place.threadId}`);
  }
}

/** Browsers let any page open a WebSocket, and say only from where. */
function checkOrigin({ http, options }: ApiContext, { headers: { origin, host } }: IncomingMessage): void {
  if (origin === undefined || mayCall(http.cors ?? { origins: options.corsOrigins }, origin, host)) return;
  throw refusedOrigin(origin);
}

/** Closes with the status that a request would have got. */
function closeFor(context: ApiContext, socket: WebSocket, error: unknown, where: string): void {
  const { status, message } = answerTo(error);
  if (status >= 500) context.report(error, where);
  // A reason has room for 123 bytes.
  const reason = Buffer.from(message).subarray(0, 120).toString();
  closeSoon(socket, status >= 500 ? TRY_AGAIN_LATER : STATUS_BASE + status, reason);
}

/** A client that does not answer the close is cut off. */
function closeSoon(socket: WebSocket, code: number, reason: string): void {
  socket.close(code, reason);
  const timer = setTimeout(() => socket.terminate(), CLOSE_GRACE_MS).unref();
  socket.once('close', () => clearTimeout(timer));
}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString('utf8');
  return Buffer.isBuffer(data) ? data.toString('utf8') : Buffer.from(data).toString('utf8');
}
