import { createHash } from 'node:crypto';
import type { Caller, Principal } from '../protocol/index.js';

/**
 * Returns the form in which an idempotency key is stored. For an authenticated user or an agent,
 * this is a hash of the principal and the key, so the keys of two users never collide. For any
 * other caller it is the unchanged key, so that a Temporal signal and an HTTP request can use the
 * same key.
 */
export function scopedKey({ principal }: Caller, key: string): string {
  if (!isAuthenticated(principal)) return key;
  const text = JSON.stringify([principal.kind, principal.id, key]);
  return createHash('sha256').update(text).digest('base64url');
}

function isAuthenticated({ kind, id }: Principal): boolean {
  return (kind === 'user' && id !== ANONYMOUS) || kind === 'agent';
}

/** The principal id of every client of the HTTP API if the project has no auth. */
export const ANONYMOUS = 'anonymous';
