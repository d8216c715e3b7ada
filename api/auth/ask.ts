import type { Response } from 'express';
import { ColloquyError, errorCode } from '../../protocol/index.js';
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

export function authOf(res: Response): AuthUser {
  const who = res.locals['auth'] as AuthUser | undefined;
  if (who === undefined) throw new ColloquyError('unauthenticated', 'Unauthorized');
  return who;
}
