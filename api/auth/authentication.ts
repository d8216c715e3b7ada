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
 * The caller and the session of each request. The key is the object `res.locals`. If a request
 * passes through the project's own HTTP app first, our routes get another response object, but the
 * same `locals`. The values are not fields of `locals`, because code of the project could change
 * them there.
 */
const callers = new WeakMap<object, Caller>();
const sessions = new WeakMap<object, Session>();

/**
 * Identifies the caller of a request. Errors: `unauthenticated`, and the errors of the project's
 * `authenticate` handler.
 */
export async function identifyCaller(context: ApiContext, req: Request, res: Response): Promise<void> {
  const caller = await context.authenticate(req);
  callers.set(res.locals, context.auth ? await identifyUser(context.auth, caller, req, res) : caller);
}

async function identifyUser(auth: ProjectAuth, { tenant }: Caller, req: Request, res: Response): Promise<Caller> {
  const authenticate = () => auth.authenticate(req);
  const authUser = await authenticate();
  // A project's Hono app reads this user as `c.get('auth')`.
  res.locals['auth'] = authUser;
  sessions.set(res.locals, { authUser, authenticate });
  return { tenant, principal: { kind: 'user', id: authUser.user.identity }, onBehalfOf: [] };
}

/** Returns the caller of a request. Errors: `unauthenticated` if the caller was not identified. */
export function callerOf(res: Response): Caller {
  return known(callers, res);
}

/**
 * Returns the session of a request: the user that the project's `authenticate` handler returned,
 * and a function that authenticates again. Errors: `unauthenticated` if the request has no session.
 */
export function sessionOf(res: Response): Session {
  return known(sessions, res);
}

function known<T>(map: WeakMap<object, T>, res: Response): T {
  const found = map.get(res.locals);
  if (found === undefined) throw new ColloquyError('unauthenticated', 'Unauthorized');
  return found;
}
