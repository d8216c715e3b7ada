import { createHash } from 'node:crypto';
import type { Caller, Principal } from '../protocol/index.js';

/**
 * An idempotency key as it is kept: the same key of two users is two keys. Callers whom nobody has authenticated, and the platform
 * itself, share one space, so that a key sent by a Temporal signal is the key of a request.
 */
export function scopedKey({ principal }: Caller, key: string): string {
  if (!isAuthenticated(principal)) return key;
  const text = JSON.stringify([principal.kind, principal.id, key]);
  return createHash('sha256').update(text).digest('base64url');
}

function isAuthenticated({ kind, id }: Principal): boolean {
  return (kind === 'user' && id !== ANONYMOUS) || kind === 'agent';
}

/** Id of the principal of all callers where no project’s auth authenticates them. */
export const ANONYMOUS = 'anonymous';
