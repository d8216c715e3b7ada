import type { Response } from 'express';
import { ColloquyError } from '../../protocol/index.js';
import type { Session } from './access.js';

/** By the `locals` of a response, which an inner response shares: a project's app may have a `locals.session` of its own. */
const sessions = new WeakMap<object, Session>();

/** `auth` is what a project's own Hono app reads as `c.get('auth')`. */
export function keepSession(res: Response, session: Session): void {
  res.locals['auth'] = session.who;
  sessions.set(res.locals, session);
}

export function sessionOf(res: Response): Session {
  const session = sessions.get(res.locals);
  if (session === undefined) throw new ColloquyError('unauthenticated', 'Unauthorized');
  return session;
}
