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
import { upgradeGate } from '../custom-app/custom-app.js';
import { answerTo } from '../http/errors.js';
import { refuseUpgrade } from '../http/raw-answer.js';
import { parse, parseJson } from '../http/validate.js';
import { errorResponse, executeCommand, readCommand, type CommandResponse } from './commands.js';
import { COMMAND_RULE, EVENTS_RULE } from './routes.js';
import { Subscriptions } from './subscriptions.js';

const PATH = /^\/threads\/([^/?]+)\/stream\/events(?:\?|$)/;
/**
 * Close codes of the WebSocket. For an error with an HTTP status below 500, the code is 4000 plus
 * this status. LangGraph's SDK reads the status from this code. For any other error the code is
 * 1013. When this server shuts down, the code is 1012, and the SDK reconnects.
 */
const STATUS_BASE = 4_000;
const SERVICE_RESTART = 1012;
const TRY_AGAIN_LATER = 1013;
/**
 * How long a client may take to answer a close frame, in ms. After this time its connection is
 * destroyed.
 */
const CLOSE_GRACE_MS = 1_000;
/** If this many commands of a connection are waiting, no more data is read from the connection. */
const MAX_WAITING_COMMANDS = 100;

/**
 * Maximum number of invalid WebSocket messages on one connection. A client that sends more does not
 * speak this protocol, so its connection is closed.
 */
const MAX_INVALID_MESSAGES = 100;

/** The client of a WebSocket: the caller, its thread, and what it may see (`access`). */
interface ThreadClient {
  caller: Caller;
  threadId: string;
  access: Access;
}

/**
 * Returns a listener that accepts WebSockets of protocol v2. One WebSocket carries the commands and
 * subscriptions of one thread. The listener identifies the caller before it answers the upgrade, so
 * it never reads a message of a client that is refused.
 */
export function webSocketUpgrades(
  context: ApiContext,
): (request: IncomingMessage, socket: Duplex, head: Buffer) => Promise<void> {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: context.options.bodyLimitBytes });
  const askCustomApp = upgradeGate(context.http.app);
  return async (request, socket, head) => {
    const path = context.http.disabled.includes('runs') ? undefined : PATH.exec(request.url ?? '')?.[1];
    if (path === undefined) {
      refuseUpgrade(socket, { status: 404, message: `Not Found: ${request.url} takes no WebSocket` });
      return;
    }
    const admitted = await admit(context, request, path, askCustomApp).catch((error: unknown) => ({ error }));
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      // The library `ws` closes the connection after an invalid frame or a network error. This
      // listener only keeps such an error from ending the process.
      webSocket.on('error', () => undefined);
      if ('error' in admitted) closeFor(context, webSocket, admitted.error, 'WebSocket');
      else new WebSocketConnection(context, webSocket, admitted);
    });
  };
}

/**
 * Performs the checks of an HTTP request on an upgrade request: origin, credentials, thread id, and
 * whether the project's custom app lets it through. Returns the client. Errors: `forbidden`,
 * `invalid_argument`, `unauthenticated`, and errors of the project's code.
 */
async function admit(
  context: ApiContext,
  request: IncomingMessage,
  path: string,
  passApp: ReturnType<typeof upgradeGate>,
): Promise<ThreadClient> {
  checkOrigin(context, request);
  // Authentication reads only the headers and the address of a request. An upgrade request has
  // both. The result is stored in the `locals` of a response. So this function creates a response,
  // which is never sent.
  const res = new ServerResponse(request) as Response;
  res.locals = {};
  await identifyCaller(context, request as Request, res);
  const threadId = parse(uuid, decoded(path), 'thread_id');
  await passApp(request, res);
  const caller = callerOf(res);
  const access = context.auth ? new ProjectAccess(context.threads, context.auth, caller, sessionOf(res)) : OPEN_ACCESS;
  return { caller, threadId, access };
}

/**
 * Decodes a segment of the URL's path. Returns a segment with invalid escapes unchanged. Such a
 * segment is no UUID, so `admit` refuses it.
 */
function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

class WebSocketConnection {
  readonly #closed = new AbortController();
  readonly #subscriptions: Subscriptions;
  readonly #watch: StreamAccess;
  #lastPongAt = Date.now();
  #lastCommand = Promise.resolve();
  #waitingCommands = 0;
  #faults = 0;

  constructor(
    private readonly context: ApiContext,
    private readonly socket: WebSocket,
    private readonly client: ThreadClient,
  ) {
    const { signal } = firstOf(this.#closed.signal, context.shutdown);
    this.#watch = watchAccess(context, client.access, client.threadId);
    const { lost, events } = this.#watch;
    const wire = { signal, send: (text: string) => this.#send(text), fail: (error: unknown) => this.#fail(error) };
    this.#subscriptions = new Subscriptions({ ...context, events }, client, wire);
    const heartbeat = setInterval(() => this.#heartbeat(), context.options.heartbeatMs).unref();
    const restart = () => closeSoon(socket, SERVICE_RESTART, 'the server restarts');
    if (context.shutdown.aborted) restart();
    context.shutdown.addEventListener('abort', restart);
    lost.addEventListener('abort', () => this.#fail(lost.reason), { once: true });
    socket.on('message', (data) => this.#enqueue(data));
    socket.on('pong', () => (this.#lastPongAt = Date.now()));
    socket.once('close', () => {
      clearInterval(heartbeat);
      this.#watch.stop();
      context.shutdown.removeEventListener('abort', restart);
      this.#closed.abort();
    });
  }

  /**
   * Queues a command for execution. The commands of a connection are executed one after another, in
   * the order of their arrival.
   */
  #enqueue(data: RawData): void {
    this.#waitingCommands += 1;
    if (this.#waitingCommands === MAX_WAITING_COMMANDS) this.socket.pause();
    this.#lastCommand = this.#lastCommand
      .then(() => this.#execute(data))
      .catch((error: unknown) => this.#fail(error))
      .then(() => {
        this.#waitingCommands -= 1;
        if (this.#waitingCommands === MAX_WAITING_COMMANDS - 1) this.socket.resume();
      });
  }

  async #execute(data: RawData): Promise<void> {
    // Ignore messages that arrive after the socket was closed.
    if (this.socket.readyState !== this.socket.OPEN) return;
    const command = this.#read(data);
    if (!('method' in command)) {
      await this.#send(JSON.stringify(command));
      this.#faults += 1;
      if (this.#faults > MAX_INVALID_MESSAGES)
        throw new ColloquyError('invalid_argument', `more than ${MAX_INVALID_MESSAGES} messages were not commands`);
      return;
    }
    const handlers = this.#subscriptions.handlers;
    const { caller, threadId } = this.client;
    const answer = await this.#askAuth(command);
    const response =
      'refusal' in answer
        ? answer.refusal
        : await executeCommand(this.context, { caller, threadId, ...answer }, command, handlers);
    await this.#send(JSON.stringify(response));
    // A subscription sends events only after the client has received the id of the subscription.
    this.#subscriptions.startPending();
  }

  /**
   * Asks the project's auth whether the client may send a command. The same auth handlers are asked
   * as when the client uses the HTTP route for this command. They may change the command. Returns
   * the access for the command, or an error response if the auth refuses the command.
   */
  async #askAuth(command: ReturnType<typeof readCommand>): Promise<{ access: Access } | { refusal: CommandResponse }> {
    const { access, threadId } = this.client;
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

  /**
   * Sends a string to the client. Resolves when the socket has accepted it. A subscription waits
   * for that before it sends its next event, so a slow client does not fill the memory of this
   * process.
   */
  #send(text: string): Promise<void> {
    return new Promise((resolve) => {
      if (this.socket.readyState !== this.socket.OPEN) resolve();
      else this.socket.send(text, () => resolve());
    });
  }

  #heartbeat(): void {
    if (Date.now() - this.#lastPongAt > this.context.options.stalledClientMs) this.socket.terminate();
    else this.socket.ping();
  }

  #fail(error: unknown): void {
    closeFor(this.context, this.socket, error, `WebSocket of thread ${this.client.threadId}`);
  }
}

/**
 * Checks that the page that opens a WebSocket may call the API. The server must check this, because
 * browsers let any page open a WebSocket, and only report the origin of the page. Errors:
 * `forbidden`.
 */
function checkOrigin({ http, options }: ApiContext, { headers: { origin, host } }: IncomingMessage): void {
  if (origin === undefined || mayCall(http.cors ?? { origins: options.corsOrigins }, origin, host)) return;
  throw refusedOrigin(origin);
}

/**
 * Closes a WebSocket because of an error. The close code is 1013 if the error's HTTP status is 500
 * or higher. For any other error it is 4000 plus the error's HTTP status.
 */
function closeFor(context: ApiContext, socket: WebSocket, error: unknown, where: string): void {
  const { status, message } = answerTo(error);
  if (status >= 500) context.report(error, where);
  // A close reason is limited to 123 bytes (RFC 6455, section 5.5).
  const reason = Buffer.from(message).subarray(0, 120).toString();
  closeSoon(socket, status >= 500 ? TRY_AGAIN_LATER : STATUS_BASE + status, reason);
}

/** Closes a WebSocket. A client that does not answer the close frame in time is disconnected. */
function closeSoon(socket: WebSocket, code: number, reason: string): void {
  socket.close(code, reason);
  const timer = setTimeout(() => socket.terminate(), CLOSE_GRACE_MS).unref();
  socket.once('close', () => clearTimeout(timer));
}

function textOf(data: RawData): string {
  if (Array.isArray(data)) return Buffer.concat(data).toString('utf8');
  return Buffer.isBuffer(data) ? data.toString('utf8') : Buffer.from(data).toString('utf8');
}
