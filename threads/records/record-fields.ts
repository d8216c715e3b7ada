import { createHash, type Hash } from 'node:crypto';
import { ColloquyError, guardValues, tooManyValues, type Fence, type RequiredMetadata } from '../../protocol/index.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** Limit for a label, in characters. For a longer label, its hash is indexed. */
const MAX_LABEL_LENGTH = 256;
/**
 * Limit for the values of a record, because each value is one index entry. A record with 20,000
 * values takes half a second to write.
 */
const MAX_VALUES = 10_000;
/**
 * Limit for the values of a query: the database compares each of them with each label of a record.
 */
const MAX_QUERY_VALUES = 200;
/** Leaves room for the other fields: MongoDB limits a document to 16 MB. */
const MAX_TEXT_BYTES = 15 * 2 ** 20;
/** The API's largest page, plus one record that shows whether another page follows. */
const MAX_PAGE = 1_001;

export type JsonObject = Record<string, unknown>;

/**
 * Returns a condition for the field `fence`. It matches records that no attempt with a higher fence
 * has taken over, and records without a fence.
 */
export function notAbove(fence: Fence): { $not: { $gt: Fence } } {
  return { $not: { $gt: fence } };
}

export function isUuid(value: string): boolean {
  return UUID.test(value);
}

/**
 * Checks an id. Ids are parts of keys. Only lower case is allowed, so that one UUID has one key.
 * Errors: `invalid_argument`.
 */
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

/**
 * Returns the JSON text of a value. Values are stored as text, because user-defined keys may
 * contain dots and dollars, which MongoDB's field names must not contain.
 * Errors: `too_large`.
 */
export function encodeJson(name: string, value: unknown): string {
  const text = JSON.stringify(value ?? null);
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_TEXT_BYTES)
    throw new ColloquyError('too_large', `${name} has ${bytes} bytes; the limit is ${MAX_TEXT_BYTES}`);
  return text;
}

/**
 * Returns the search labels of a record: one string for each value in its metadata. A label begins
 * with the tenant, so that an index scan stays within one tenant.
 * Errors: `invalid_argument` for too many values.
 */
export function recordLabels(tenant: string, metadata: JsonObject): string[] {
  guardValues('metadata', metadata, MAX_VALUES);
  return collectLabels(tenant, metadata, true);
}

/**
 * Returns the labels that a record must have to contain the given metadata. An object contains
 * another object if the other has a subset of its keys. A list contains another list if the other
 * has a subset of its elements.
 * Errors: `invalid_argument` for too many values.
 */
export function queryLabels(tenant: string, metadata: JsonObject): string[] {
  guardValues('metadata', metadata, MAX_QUERY_VALUES);
  return collectLabels(tenant, metadata, false);
}

/**
 * Returns a filter for records that have the wanted labels and the required metadata. Errors:
 * `invalid_argument` for too many values.
 */
export function withLabels(
  tenant: string,
  wanted: string[],
  required: RequiredMetadata,
): { labels?: { $all: string[] } } {
  const { equal, contains } = required;
  const all = [...wanted, ...queryLabels(tenant, equal), ...queryLabels(tenant, contains)];
  if (all.length === 0) return {};
  if (all.length <= MAX_QUERY_VALUES) return { labels: { $all: all } };
  throw new ColloquyError('invalid_argument', `metadata: ${tooManyValues(MAX_QUERY_VALUES)}`, { field: 'metadata' });
}

/**
 * Returns the labels of metadata. An empty object or list always has the label `{}` or `[]`. With
 * `withKinds`, objects and lists that are not empty have this label too.
 */
function collectLabels(tenant: string, metadata: JsonObject, withKinds: boolean): string[] {
  const labels = new Set<string>();
  const collect = (path: LabelPath, value: unknown): void => {
    if (Array.isArray(value)) {
      if (withKinds || value.length === 0) labels.add(path.label(': []'));
      const elements = path.below('.[]');
      for (const element of value) labels.add(elements.label(`: ${canonicalJson(element)}`));
    } else if (typeof value === 'object' && value !== null) {
      const inside = entries(value as JsonObject);
      if (withKinds || inside.length === 0) labels.add(path.label(': {}'));
      for (const [key, inner] of inside) collect(path.below(`.${JSON.stringify(key)}`), inner);
    } else {
      labels.add(path.label(`: ${canonicalJson(value)}`));
    }
  };
  const root = LabelPath.root(tenant);
  for (const [key, value] of entries(metadata)) collect(root.below(JSON.stringify(key)), value);
  return [...labels];
}

/**
 * The path to a value in metadata, which is the first part of the value's labels. A long label is
 * stored as the hash of path and value. This class hashes the path once. For each label it copies
 * that hash and adds the value, so a label costs the same for a path of any length. Hashing the
 * two parts one after the other is safe, because JSON escapes lone surrogates.
 */
class LabelPath {
  #hash: Hash | undefined;

  private constructor(
    private readonly tenant: string,
    private readonly parent: LabelPath | undefined,
    private readonly step: string,
    /** Length of the whole path, in characters. */
    private readonly length: number,
    /** The whole path; empty if it is too long for any label to be stored as text. */
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

/** Returns JSON text that does not depend on the order of keys. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
