import type { Response } from 'express';
import { ColloquyError, errorCode } from '../../protocol/index.js';
import type { Session } from './access.js';
import type { AuthFilters, AuthUser, ProjectAuth } from './ports.js';

/** Errors of the project's code keep their status; their headers go with the answer. */
export async function ask(
  auth: ProjectAuth,
  who: AuthUser,
  res: Response,
  event: string,
  value: Record<string, unknown>,
): Promise<AuthFilters | undefined> {
  try {
    return await auth.authorize(who, event, value);
  } catch (error) {
    sendHeadersOf(res, error);
    throw error;
  }
}

export function sendHeadersOf(res: Response, error: unknown): void {
  const { headers } = (error ?? {}) as { headers?: unknown };
  if (typeof headers !== 'object' || headers === null || errorCode(error) !== undefined) return;
  const pairs = headers instanceof Headers ? [...headers] : Object.entries(headers as Record<string, string>);
  for (const [name, value] of pairs) res.setHeader(name, value);
}

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
