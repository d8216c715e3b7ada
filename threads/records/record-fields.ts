import { createHash, type Hash } from 'node:crypto';
import { ColloquyError, guardValues, tooManyValues, type Fence, type RequiredMetadata } from '../../protocol/index.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Longer labels are indexed by their hash. */
const MAX_LABEL_LENGTH = 256;
/** Each value is an entry of an index; twenty thousand of a record take half a second to write. */
const MAX_VALUES = 10_000;
/** The database compares each value that is wanted with each of a record. */
const MAX_WANTED = 200;
/** A document may have 16 MB. */
const MAX_TEXT_BYTES = 15 * 2 ** 20;
/** The largest page of the API, and one more to see whether another follows. */
const MAX_PAGE = 1_001;

export type JsonObject = Record<string, unknown>;

/** The condition that no attempt with a higher fence has taken a record over; a record without a fence matches. */
export function notAbove(fence: Fence): { $not: { $gt: Fence } } {
  return { $not: { $gt: fence } };
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

/**
 * Metadata as strings to search by, one for every value in it, the tenant first so that the index
 * serves one tenant at a time.
 * Errors: `invalid_argument` for too many values.
 */
export function labels(tenant: string, metadata: JsonObject): string[] {
  guardValues('metadata', metadata, MAX_VALUES);
  return labelsOf(tenant, metadata, true);
}

/**
 * The labels that metadata must have to contain what is asked for: an object contains another
 * that has some of its keys, a list one that has some of its elements.
 * Errors: `invalid_argument` for too many values.
 */
export function wantedLabels(tenant: string, metadata: JsonObject): string[] {
  guardValues('metadata', metadata, MAX_WANTED);
  return labelsOf(tenant, metadata, false);
}

/** The condition on a record to have the labels that are wanted, and metadata as required. Errors: `invalid_argument`. */
export function withLabels(
  tenant: string,
  wanted: string[],
  required: RequiredMetadata,
): { labels?: { $all: string[] } } {
  const { equal, contains } = required;
  const all = [...wanted, ...wantedLabels(tenant, equal), ...wantedLabels(tenant, contains)];
  if (all.length === 0) return {};
  if (all.length <= MAX_WANTED) return { labels: { $all: all } };
  throw new ColloquyError('invalid_argument', `metadata: ${tooManyValues(MAX_WANTED)}`, { field: 'metadata' });
}

/** `kinds`: also say of an object or a list with something in it that it is one. */
function labelsOf(tenant: string, metadata: JsonObject, kinds: boolean): string[] {
  const found = new Set<string>();
  const collect = (path: LabelPath, value: unknown): void => {
    if (Array.isArray(value)) {
      if (kinds || value.length === 0) found.add(path.label(': []'));
      const elements = path.below('.[]');
      for (const element of value) found.add(elements.label(`: ${canonicalJson(element)}`));
    } else if (typeof value === 'object' && value !== null) {
      const inside = entries(value as JsonObject);
      if (kinds || inside.length === 0) found.add(path.label(': {}'));
      for (const [key, inner] of inside) collect(path.below(`.${JSON.stringify(key)}`), inner);
    } else {
      found.add(path.label(`: ${canonicalJson(value)}`));
    }
  };
  const root = LabelPath.root(tenant);
  for (const [key, value] of entries(metadata)) collect(root.below(JSON.stringify(key)), value);
  return [...found];
}

/**
 * The path to a value, which its labels begin with. A hash reads a label from its start: the hash of
 * the path is made once, and a copy of it reads on with each value. So a label is the hash of its
 * whole text, as in stored records, and costs the same behind a path of any length. A hash gets
 * whole characters only, since JSON escapes halves of surrogate pairs.
 */
class LabelPath {
  #hash: Hash | undefined;

  private constructor(
    private readonly tenant: string,
    private readonly parent: LabelPath | undefined,
    private readonly step: string,
    /** Of the whole path. */
    private readonly length: number,
    /** The whole path; empty where it is too long for any label to be kept as text. */
    private readonly text: string,
  ) {}

  static root(tenant: string): LabelPath {
    const text = `${tenant} `;
    return new LabelPath(tenant, undefined, text, text.length, text);
  }

  below(step: string): LabelPath {
    const length = this.length + step.length;
    return new LabelPath(this.tenant, this, step, length, length > MAX_LABEL_LENGTH ? '' : this.text + step);
  }

  label(value: string): string {
    if (this.length + value.length <= MAX_LABEL_LENGTH) return this.text + value;
    return `${this.tenant} sha256 ${this.hash().copy().update(value).digest('base64url')}`;
  }

  private hash(): Hash {
    this.#hash ??= (this.parent?.hash().copy() ?? createHash('sha256')).update(this.step);
    return this.#hash;
  }
}

function entries(object: JsonObject): [string, unknown][] {
  return Object.entries(object).filter(([, value]) => value !== undefined);
}

/** Equal values give equal text, in whatever order their keys came. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
