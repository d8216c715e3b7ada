import { createHash } from 'node:crypto';
import { ColloquyError, TENANT_PATTERN } from '../protocol/index.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Longer labels are indexed by their hash. */
const MAX_LABEL_LENGTH = 256;
/** A document may have 16 MB. */
const MAX_TEXT_BYTES = 15 * 2 ** 20;
/** The largest page of the API, and one more to see whether another follows. */
const MAX_PAGE = 1_001;

export type JsonObject = Record<string, unknown>;

export function guardTenant(tenant: string): void {
  if (!TENANT_PATTERN.test(tenant)) {
    throw new ColloquyError('invalid_argument', `tenant is ${JSON.stringify(tenant)}; expected a DNS label`, {
      field: 'tenant',
    });
  }
}

export function isUuid(value: string): boolean {
  return UUID.test(value);
}

/** Ids are parts of keys: only lower case, so that one UUID is one key. */
export function guardUuid(field: 'thread_id' | 'run_id' | 'cron_id' | 'ids', value: string): string {
  if (isUuid(value)) return value;
  throw new ColloquyError('invalid_argument', `${field} is ${JSON.stringify(value)}; expected a UUID in lower case`, {
    field,
  });
}

export function guardPage(query: { limit: number; offset: number }): void {
  for (const [field, least] of [
    ['limit', 1],
    ['offset', 0],
  ] as const) {
    const value = query[field];
    if (!Number.isSafeInteger(value) || value < least || (field === 'limit' && value > MAX_PAGE)) {
      const range = field === 'limit' ? `an integer from 1 to ${MAX_PAGE - 1}` : 'an integer from 0';
      throw new ColloquyError('invalid_argument', `${field} is ${value}; expected ${range}`, { field });
    }
  }
}

/** JSON text: keys of users may have dots and dollars, which a document's must not. */
export function encodeJson(what: string, value: unknown): string {
  const text = JSON.stringify(value ?? null);
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_TEXT_BYTES)
    throw new ColloquyError('too_large', `${what} has ${bytes} bytes; at most ${MAX_TEXT_BYTES} fit`);
  return text;
}

/** Metadata as strings to search for, one a key, the tenant first so that the index serves one tenant at a time. */
export function labels(tenant: string, metadata: JsonObject): string[] {
  return Object.entries(metadata)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => {
      const label = `${tenant} ${JSON.stringify(key)}: ${canonicalJson(value)}`;
      return label.length <= MAX_LABEL_LENGTH
        ? label
        : `${tenant} sha256 ${createHash('sha256').update(label).digest('base64url')}`;
    });
}

/** Equal values give equal text, in whatever order their keys came. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
