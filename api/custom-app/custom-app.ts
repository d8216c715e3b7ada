import type { IncomingMessage, ServerResponse } from 'node:http';
import type {
  Express,
  NextFunction,
  Request as ExpressRequest,
  RequestHandler,
  Response as ExpressResponse,
} from 'express';
import { ColloquyError } from '../../protocol/index.js';
import type { InnerServer } from './inner-server.js';
import { goneSignal, sendWebResponse, toWebRequest, type WebBody } from './web-bridge.js';

interface Bindings {
  incoming: IncomingMessage;
  outgoing: ServerResponse;
}

interface HonoContext {
  req: { raw: Request; bodyCache: Record<string, Promise<unknown> | undefined>; arrayBuffer(): Promise<ArrayBuffer> };
  env: Bindings;
  set(name: string, value: unknown): void;
}

/**
 * The members of Hono that this file uses. A project may have any copy of Hono, so the type is not
 * imported.
 */
interface Hono {
  fetch(request: Request, bindings: Bindings): Response | Promise<Response>;
  use(path: string, handler: (c: HonoContext, next: () => Promise<void>) => Promise<void>): unknown;
  route(path: string, app: Hono): unknown;
  notFound(handler: (c: HonoContext) => Promise<Response>): unknown;
}

interface FetchApp {
  fetch(request: Request): Response | Promise<Response>;
}

/**
 * Puts the app that a project names in `http.app` in front of Colloquy's own routes. The app may
 * answer a request itself, change the request, or change the answer of these routes.
 * - Hono: the routes of the app come first, and its middleware also wraps Colloquy's routes, as in
 *   LangGraph's own server.
 * - Express, any version: the same as for Hono, with Express's own `next()`.
 * - any other object with `fetch(Request)`: Colloquy's routes handle the requests that the object
 *   answers with 404.
 * Errors: `invalid_argument` for any other value.
 */
export function customApp(app: unknown, inner: InnerServer, bodyLimitBytes: number): RequestHandler {
  if (isHono(app)) return honoHandler(app, inner);
  if (typeof app === 'function') return expressHandler(app as Express);
  if (hasFetch(app)) return fetchHandler(app, inner, bodyLimitBytes);
  throw new ColloquyError(
    'invalid_argument',
    'http.app is not a Hono app, not an Express app, and has no fetch(Request)',
    {
      field: 'http.app',
    },
  );
}

function honoHandler(app: Hono, inner: InnerServer): RequestHandler {
  const root = wrapHonoApp(app, async (c) => inner.fetch(c.req.raw, localsOf(c.env), await remainingBody(c)));
  return async (req, res) => {
    const request = toWebRequest(req, undefined, goneSignal(res));
    await sendWebResponse(res, await root.fetch(request, { incoming: req, outgoing: res }));
  };
}

/** Wraps a project's Hono app, so that `next` handles the requests that the app does not handle. */
function wrapHonoApp(app: Hono, next: (c: HonoContext) => Promise<Response>): Hono {
  const root = new (app.constructor as new () => Hono)();
  root.use('*', async (c, next) => {
    c.set('auth', localsOf(c.env)['auth']);
    await next();
  });
  root.route('/', app);
  root.notFound(next);
  return root;
}

function localsOf({ outgoing }: Bindings): ExpressResponse['locals'] {
  return (outgoing as ExpressResponse).locals;
}

/**
 * Returns the body for Colloquy's own routes after the app's middleware has run: the unread body,
 * or the body that the middleware has parsed and perhaps changed.
 */
async function remainingBody({ req }: HonoContext): Promise<WebBody> {
  const { json } = req.bodyCache;
  if (json !== undefined) return JSON.stringify(await json);
  return Object.keys(req.bodyCache).length > 0 ? req.arrayBuffer() : (req.raw.body as WebBody);
}

function expressHandler(app: Express): RequestHandler {
  return (req, res, next) => {
    // The project's Express app sets its own prototypes on request and response. `next()` restores
    // the prototypes of Colloquy's Express app.
    const prototypes = [req, res].map((object): unknown => Object.getPrototypeOf(object));
    const restoreAndNext: NextFunction = (error?: unknown) => {
      [req, res].forEach((object, index) => void Object.setPrototypeOf(object, prototypes[index] as object));
      next(error);
    };
    (app as unknown as (req: ExpressRequest, res: ExpressResponse, next: NextFunction) => void)(
      req,
      res,
      restoreAndNext,
    );
  };
}

function fetchHandler(app: FetchApp, inner: InnerServer, bodyLimitBytes: number): RequestHandler {
  return async (req, res) => {
    const gone = goneSignal(res);
    // The body is read only once and kept, because both the project's app and Colloquy's own routes
    // may need it.
    const body = await readBody(req, bodyLimitBytes);
    const response = await app.fetch(toWebRequest(req, body, gone));
    if (response.status !== 404) return sendWebResponse(res, response);
    await response.body?.cancel();
    await sendWebResponse(res, await inner.fetch(toWebRequest(req, body, gone), res.locals));
  };
}

async function readBody(req: IncomingMessage, limit: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > limit) throw new ColloquyError('too_large', `request body is larger than the limit of ${limit} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function isHono(app: unknown): app is Hono {
  return hasFetch(app) && ['use', 'route', 'notFound'].every((name) => typeof app[name as never] === 'function');
}

function hasFetch(app: unknown): app is FetchApp {
  return typeof app === 'object' && app !== null && typeof (app as Partial<FetchApp>).fetch === 'function';
}

/**
 * Creates a function that asks a project's app whether it lets a WebSocket upgrade through. The app
 * gets a `GET` request for the same path. If the app passes this request on, the function returns.
 * If the app answers the request instead, the function throws. Errors of the function: an error
 * with the status of the answer if this status is 400 or higher; otherwise `not_found`, because the
 * app serves plain HTTP at this path and no WebSocket.
 */
export function upgradeGate(app: unknown): (req: IncomingMessage, res: ExpressResponse) => Promise<void> {
  if (app === undefined) return async () => undefined;
  const ask = isHono(app) ? honoGate(app) : typeof app === 'function' ? expressGate(app as Express) : fetchGate(app);
  return async (req, res) => {
    const status = await ask(req, res);
    if (status === undefined) return;
    if (status < 400) throw new ColloquyError('not_found', `Not Found: ${req.url} takes no WebSocket`);
    throw Object.assign(new Error(`http.app refused the WebSocket with ${status}`), { status });
  };
}

/**
 * A function that asks an app about a WebSocket upgrade. It returns undefined if the app lets the
 * request through, else the status of the app's answer.
 */
type UpgradeGate = (req: IncomingMessage, res: ExpressResponse) => Promise<number | undefined>;

function honoGate(app: Hono): UpgradeGate {
  const reached = new WeakSet<object>();
  const root = wrapHonoApp(app, async ({ env }) => {
    reached.add(env.incoming);
    return new Response(null);
  });
  return async (req, res) => {
    const { ok, status } = await root.fetch(toWebRequest(req), { incoming: req, outgoing: res });
    return reached.has(req) && ok ? undefined : status;
  };
}

function expressGate(app: Express): UpgradeGate {
  return (req, res) =>
    new Promise((resolve, reject) => {
      req.socket.once('close', () => resolve(CLIENT_CLOSED));
      res.end = () => {
        resolve(res.statusCode);
        return res;
      };
      const next: NextFunction = (error?: unknown) =>
        error === undefined ? resolve(undefined) : reject(asError(error));
      expressHandler(app)(req as ExpressRequest, res, next);
    });
}

/** The status for a client that has disconnected. The client never receives it. */
const CLIENT_CLOSED = 499;

function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown));
}

function fetchGate(app: unknown): UpgradeGate {
  return async (req) => {
    if (!hasFetch(app)) return undefined;
    const { status, body } = await app.fetch(toWebRequest(req));
    await body?.cancel();
    return status === 404 ? undefined : status;
  };
}
