import { createHash } from 'node:crypto';
import { ColloquyError, TENANT_PATTERN } from '../protocol/index.js';
import type { RequiredMetadata } from './ports.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Longer labels are indexed by their hash. */
const MAX_LABEL_LENGTH = 256;
/** Each label is an entry of an index; twenty thousand of a record take half a second to write. */
const MAX_LABELS = 10_000;
/** The database compares each label that is wanted with each of a record. */
const MAX_WANTED_LABELS = 200;
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
export function guardUuid(field: 'assistant_id' | 'thread_id' | 'run_id' | 'cron_id' | 'ids', value: string): string {
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

/** Metadata as strings to search by, one for every value in it, the tenant first so that the index serves one tenant at a time. */
export function labels(tenant: string, metadata: JsonObject): string[] {
  const found = entries(metadata).flatMap(([key, value]) => [...pathLabels(JSON.stringify(key), value, true)]);
  return limited([...new Set(found.map((label) => fitted(tenant, label)))], MAX_LABELS);
}

/** Errors: `invalid_argument`. */
function limited(found: string[], most: number): string[] {
  if (found.length <= most) return found;
  const message = `metadata: has ${found.length} values with those inside of it; expected at most ${most}`;
  throw new ColloquyError('invalid_argument', message, { field: 'metadata' });
}

/**
 * The labels that metadata must have to contain what is asked for: an object contains another that has some of its keys, a list one that has
 * some of its elements.
 */
export function wantedLabels(tenant: string, metadata: JsonObject): string[] {
  const wanted = entries(metadata).flatMap(([key, value]) => [...pathLabels(JSON.stringify(key), value, false)]);
  return [...new Set(wanted.map((label) => fitted(tenant, label)))];
}

/** The condition on a record to have the labels that are wanted, and metadata as required. */
export function withLabels(
  tenant: string,
  wanted: string[],
  required: RequiredMetadata = { equal: {}, contains: {} },
): { labels?: { $all: string[] } } {
  const { equal, contains } = required;
  const all = [...wanted, ...wantedLabels(tenant, equal), ...wantedLabels(tenant, contains)];
  return all.length === 0 ? {} : { labels: { $all: limited(all, MAX_WANTED_LABELS) } };
}

/** `kinds`: also say of an object or a list with something in it that it is one. */
function* pathLabels(path: string, value: unknown, kinds: boolean): Generator<string> {
  if (Array.isArray(value)) {
    if (kinds || value.length === 0) yield `${path}: []`;
    for (const element of value) yield `${path}.[]: ${canonicalJson(element)}`;
  } else if (typeof value === 'object' && value !== null) {
    const inside = entries(value as JsonObject);
    if (kinds || inside.length === 0) yield `${path}: {}`;
    for (const [key, inner] of inside) yield* pathLabels(`${path}.${JSON.stringify(key)}`, inner, kinds);
  } else {
    yield `${path}: ${canonicalJson(value)}`;
  }
}

function entries(object: JsonObject): [string, unknown][] {
  return Object.entries(object).filter(([, value]) => value !== undefined);
}

function fitted(tenant: string, label: string): string {
  const whole = `${tenant} ${label}`;
  if (whole.length <= MAX_LABEL_LENGTH) return whole;
  return `${tenant} sha256 ${createHash('sha256').update(whole).digest('base64url')}`;
}

/** Equal values give equal text, in whatever order their keys came. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
