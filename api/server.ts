import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { createApi } from './app.js';
import { completeContext, type ApiContext, type ApiDependencies } from './context.js';
import { refuseUpgrade, type Refusal } from './http/raw-answer.js';
import { METHODS } from './http/cors.js';
import { methodsOf } from './http/serve.js';
import { ROUTES } from './routes.js';
import { requestFault } from './http/request-guard.js';
import { webSocketUpgrades } from './protocol-v2/websocket.js';

/**
 * If a client address has too many connections, a further connection is refused, but stays open for
 * this time, in ms. If a request arrives in this time, the HTTP answer can give the reason.
 */
const REFUSED_GRACE_MS = 1_000;
/** Shortest time between two log lines about too many connections of one client address, in ms. */
const WARN_EVERY_MS = 60_000;

/**
 * Creates the API as an HTTP server that does not listen yet. Every listener that Node.js calls is
 * registered and guarded here, so that an error ends at most the connection of one client.
 */
export function createApiServer(deps: ApiDependencies): Server {
  const context = completeContext(deps);
  const app = createApi(deps);
  const upgrade = webSocketUpgrades(context);
  const refused = connectionLimiter(context);
  const { report, options } = context;
  const server = createServer();

  server.on('connection', (socket: Socket) => {
    guard(report, 'connection', socket, () => refused.watch(socket));
  });
  server.on('request', (req: IncomingMessage, res: ServerResponse) => {
    guard(report, 'request', req.socket, () => {
      const fault = refused.faultOf(req.socket) ?? requestFault(req, options.allowedHosts);
      if (fault === undefined) app(req, res);
      else refuse(req, res, fault);
    });
  });
  server.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
    // Node.js removes its own error listener before an upgrade. Without a new error listener, a
    // client that disconnects would end the process.
    socket.on('error', () => socket.destroy());
    guard(report, 'upgrade', socket, () => {
      const fault = refused.faultOf(req.socket) ?? requestFault(req, options.allowedHosts);
      if (fault === undefined) return upgrade(req, socket, head);
      refuseUpgrade(socket, fault);
    });
  });
  return server;
}

/** Runs a listener. If the listener throws, reports the error and destroys the connection. */
function guard(
  report: ApiContext['report'],
  where: string,
  socket: Duplex,
  listener: () => void | Promise<void>,
): void {
  const fail = (error: unknown) => {
    report(error, `listener of a ${where}`);
    socket.destroy();
  };
  try {
    Promise.resolve(listener()).catch(fail);
  } catch (error) {
    fail(error);
  }
}

const methodsAt = methodsOf(ROUTES);

function refuse({ url = '' }: IncomingMessage, res: ServerResponse, { status, message }: Refusal): void {
  // A custom app may serve any method on a path that is not one of our routes. For such a path,
  // `Allow` names all methods.
  if (status === 405) res.setHeader('Allow', (methodsAt(url.replace(/\?.*/, '')) ?? METHODS).join(', '));
  res.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8', Connection: 'close' });
  res.end(message);
}

/**
 * Counts the connections of each client address. A connection over the limit gets the HTTP answer
 * 429 to its first request, and is closed.
 */
function connectionLimiter({ options, report }: ApiContext) {
  const limit = options.connectionsPerAddress;
  const open = new Map<string, number>();
  const warned = new Map<string, number>();
  const refused = new WeakSet<object>();
  const fault = (address: string): Refusal => ({
    status: 429,
    message: `${address} has ${limit} connections, which is the limit (COLLOQUY_CONNECTIONS_PER_ADDRESS)`,
  });

  return {
    watch(socket: Socket): void {
      const { remoteAddress: address } = socket;
      if (limit === 0 || address === undefined) return;
      const count = (open.get(address) ?? 0) + 1;
      open.set(address, count);
      socket.once('close', () => {
        const left = (open.get(address) ?? 1) - 1;
        if (left > 0) open.set(address, left);
        else open.delete(address);
      });
      if (count <= limit) return;
      refused.add(socket);
      const timer = setTimeout(() => socket.destroy(), REFUSED_GRACE_MS).unref();
      socket.once('close', () => clearTimeout(timer));
      warn(address);
    },
    faultOf: (socket: Socket): Refusal | undefined =>
      refused.has(socket) ? fault(socket.remoteAddress ?? 'this address') : undefined,
  };

  function warn(address: string): void {
    const now = Date.now();
    if (now - (warned.get(address) ?? -Infinity) < WARN_EVERY_MS) return;
    warned.clear();
    warned.set(address, now);
    report(new Error(fault(address).message), 'connections');
  }
}
