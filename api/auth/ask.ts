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

/** `auth` is what a project's own Hono app reads as `c.get('auth')`. */
export function keepSession(res: Response, session: Session): void {
  res.locals['auth'] = session.who;
  res.locals['session'] = session;
}

export function sessionOf(res: Response): Session {
  const session = res.locals['session'] as Session | undefined;
  if (session === undefined) throw new ColloquyError('unauthenticated', 'Unauthorized');
  return session;
}
