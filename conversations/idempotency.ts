import { createHash } from 'node:crypto';
import type { Caller, Principal } from '../protocol/index.js';

/**
 * Returns the stored form of an idempotency key. If two users send the same key, the stored keys
 * differ. A key of an unauthenticated caller or of the platform is stored unchanged. A Temporal
 * signal and an HTTP request can therefore use the same key.
 */
export function scopedKey({ principal }: Caller, key: string): string {
  if (!isAuthenticated(principal)) return key;
  const text = JSON.stringify([principal.kind, principal.id, key]);
  return createHash('sha256').update(text).digest('base64url');
}

function isAuthenticated({ kind, id }: Principal): boolean {
  return (kind === 'user' && id !== ANONYMOUS) || kind === 'agent';
}

/** The principal id of every caller if the project has no auth. */
export const ANONYMOUS = 'anonymous';
