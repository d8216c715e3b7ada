import type { Request, RequestHandler, Response } from 'express';
import { ColloquyError, type Caller } from '../../protocol/index.js';
import type { ApiContext } from '../context.js';
import type { ProjectAuth, Session } from './ports.js';

/** Identifies the caller of each request. Paths in `publicPaths` need no credentials. */
export function authentication(context: ApiContext, publicPaths: readonly string[]): RequestHandler {
  return async (req, res, next) => {
    if (!publicPaths.includes(req.path)) await identifyCaller(context, req, res);
    next();
  };
}

/**
 * Callers and sessions by the `locals` of a response. An inner response of a custom app shares
 * these `locals`. Code of a project cannot change the maps.
 */
const callers = new WeakMap<object, Caller>();
const sessions = new WeakMap<object, Session>();

/**
 * Identifies the caller of a request. Errors: `unauthenticated`, and what the project's handler
 * throws.
 */
export async function identifyCaller(context: ApiContext, req: Request, res: Response): Promise<void> {
  const caller = await context.authenticate(req);
  callers.set(res.locals, context.auth ? await identifyUser(context.auth, caller, req, res) : caller);
}

async function identifyUser(auth: ProjectAuth, { tenant }: Caller, req: Request, res: Response): Promise<Caller> {
  const authenticate = () => auth.authenticate(req);
  const authUser = await authenticate();
  // A project's Hono app reads it as `c.get('auth')`.
  res.locals['auth'] = authUser;
  sessions.set(res.locals, { authUser, authenticate });
  return { tenant, principal: { kind: 'user', id: authUser.user.identity }, onBehalfOf: [] };
}

/** Errors: `unauthenticated` if the request was not identified. */
export function callerOf(res: Response): Caller {
  return known(callers, res);
}

/**
 * The session of a request in a project with an auth. Errors: `unauthenticated` if there is none.
 */
export function sessionOf(res: Response): Session {
  return known(sessions, res);
}

function known<T>(map: WeakMap<object, T>, res: Response): T {
  const found = map.get(res.locals);
  if (found === undefined) throw new ColloquyError('unauthenticated', 'Unauthorized');
  return found;
}
