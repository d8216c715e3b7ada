import { createHash, type Hash } from 'node:crypto';
import { ColloquyError, guardValues, tooManyValues, type Fence, type RequiredMetadata } from '../../protocol/index.js';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/**
 * Maximum length of a search label, in characters. A search label is the index entry for one value
 * in the metadata of a record. A longer label is replaced by its hash.
 */
const MAX_LABEL_LENGTH = 256;
/**
 * Maximum number of values in the metadata of a record. Each value becomes an index entry, and a
 * record with 20,000 values would take half a second to write.
 */
const MAX_VALUES = 10_000;
/**
 * Maximum number of metadata values in a query. Each value becomes a label, and the database
 * compares each of these labels with each label of a record.
 */
const MAX_QUERY_VALUES = 200;
/**
 * Maximum size of the JSON text in one field, in bytes. MongoDB limits a document to 16 MB, so this
 * leaves room for the other fields.
 */
const MAX_TEXT_BYTES = 15 * 2 ** 20;
/**
 * Maximum `limit` of a query: the API's largest page, plus one record that shows whether another
 * page follows.
 */
const MAX_PAGE = 1_001;

export type JsonObject = Record<string, unknown>;

/**
 * Returns a MongoDB condition for a field that contains a fence. It matches a record whose fence is
 * not higher than the given one, and a record without a fence. So a write with this condition does
 * not change a record that an attempt with a higher fence has taken over.
 */
export function notAbove(fence: Fence): { $not: { $gt: Fence } } {
  return { $not: { $gt: fence } };
}

export function isUuid(value: string): boolean {
  return UUID.test(value);
}

/**
 * Returns an id if it is a UUID in lower case. Ids are parts of document keys. If upper case were
 * allowed too, one UUID could have several keys. Errors: `invalid_argument`.
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
 * Returns the JSON text of a value. JSON of users is stored as text, because its keys may contain
 * dots and dollars, which have a special meaning in MongoDB's field names. Errors: `too_large`.
 */
export function encodeJson(name: string, value: unknown): string {
  const text = JSON.stringify(value ?? null);
  const bytes = Buffer.byteLength(text);
  if (bytes > MAX_TEXT_BYTES)
    throw new ColloquyError('too_large', `${name} has ${bytes} bytes; the limit is ${MAX_TEXT_BYTES}`);
  return text;
}

/** Returns whether {@link encodeJson} accepts the value. */
export function isStorable(value: unknown): boolean {
  return Buffer.byteLength(JSON.stringify(value ?? null)) <= MAX_TEXT_BYTES;
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
 * Returns the labels that a record must have so that its metadata contain the given metadata. The
 * objects of the record may have more keys than the given objects, and its lists may have more
 * elements than the given lists. But an object or list inside a list must be equal to the
 * given one.
 * Errors: `invalid_argument` for too many values.
 */
export function queryLabels(tenant: string, metadata: JsonObject): string[] {
  guardValues('metadata', metadata, MAX_QUERY_VALUES);
  return collectLabels(tenant, metadata, false);
}

/**
 * Returns a MongoDB filter for records that have all labels in `wanted` and all metadata in
 * `required`. The client searches for `wanted`; the project's auth handlers demand `required`.
 * Errors: `invalid_argument` for too many values.
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
 * Returns one label for each value in metadata. An element of a list counts as one value, even if
 * it is an object or a list. An empty object gets the label `{}`, and an empty list the label `[]`.
 * With `withKinds`, every object gets the label `{}`, and every list the label `[]`, in addition to
 * the labels of the values in it. So a search for an empty object or list finds all objects or
 * lists. Objects and lists inside of lists do not get these labels.
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
 * The path to a value in metadata. The text of a label consists of the tenant, this path and the
 * value. A long text is replaced by its hash. The path is hashed only once: each label copies the
 * hash of the path and adds its value to the copy. So many labels under a long path cost little.
 *
 * The parts of the text are hashed one after the other. The result is the same as for the whole
 * text, because no surrogate pair is split between two parts: the keys and values are JSON text, in
 * which lone surrogates are escaped.
 */
class LabelPath {
  #hash: Hash | undefined;

  private constructor(
    private readonly tenant: string,
    private readonly parent: LabelPath | undefined,
    private readonly step: string,
    /** Length of the whole path, in characters. */
    private readonly length: number,
    /** The whole path as text. Empty if the path is so long that every label under it is a hash. */
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

/** Returns the JSON text of a value with sorted keys, so that equal objects have equal texts. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
