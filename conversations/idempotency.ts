import { createHash } from 'node:crypto';
import type { Caller, Principal } from '../protocol/index.js';

/**
 * Returns the stored form of an idempotency key. The same key of two users is two stored keys.
 * Unauthenticated callers and the platform share one scope, so that a Temporal signal and a request
 * can use the same key.
 */
export function scopedKey({ principal }: Caller, key: string): string {
  if (!isAuthenticated(principal)) return key;
  const text = JSON.stringify([principal.kind, principal.id, key]);
  return createHash('sha256').update(text).digest('base64url');
}

function isAuthenticated({ kind, id }: Principal): boolean {
  return (kind === 'user' && id !== ANONYMOUS) || kind === 'agent';
}

/** The principal id of all callers without a project's auth. */
export const ANONYMOUS = 'anonymous';
