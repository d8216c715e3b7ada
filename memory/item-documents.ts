import { Binary, ObjectId } from 'mongodb';
import type { AnyBulkWriteOperation } from 'mongodb';
import type { Item } from '@langchain/langgraph-checkpoint';
import { ColloquyError } from '../protocol/index.js';
import { labelsOf } from './filter.js';
import { ancestorsOf, itemKey, namespaceOf, pathOf } from './namespaces.js';
import type { PutItem } from './ports.js';

export interface ItemDocument {
  /** `<tenant>/<namespace>::<key>` */
  _id: string;
  tenant: string;
  /** The parts of the namespace, joined by colons. */
  path: string;
  /**
   * For each prefix of the namespace, from the empty prefix to the whole namespace: the string
   * `<tenant>/<prefix>`. A search for all items under a prefix looks for this string.
   */
  ancestors: string[];
  key: string;
  /**
   * The item's value as JSON text. It is not an embedded document, because keys of the value may
   * contain dots and dollar signs. These have a special meaning in keys of a MongoDB document.
   */
  value: string;
  /** Strings by which a query with a filter finds the item; see `labelsOf`. */
  labels: string[];
  /** Orders items that were created in the same millisecond. */
  order: ObjectId;
  createdAt: Date;
  updatedAt: Date;
  ttlMs?: number;
  expiresAt?: Date;
  /** Id of the embedder that computed the vectors. */
  embedder?: string;
  /** One vector for each embedded text of the item, as little-endian float32 values. */
  vectors?: Binary[];
}

export interface EmbeddedItem extends PutItem {
  embedder?: string;
  vectors?: Float32Array[];
}

/**
 * Maximum size of an item's value as JSON text, in bytes. MongoDB limits a document to 16 MB, so
 * this leaves room for the item's vectors and labels.
 */
const MAX_VALUE_BYTES = 12 * 2 ** 20;
const MINUTE_MS = 60_000;

/**
 * Returns the MongoDB operations that insert an item, or replace the stored item with the same key.
 * If the stored item has expired but MongoDB has not removed it yet, it is deleted first. So the
 * new item gets a creation time of its own, not that of the expired item.
 */
export function putOperations(tenant: string, item: EmbeddedItem, now: Date): AnyBulkWriteOperation<ItemDocument>[] {
  const { namespace, key, value, ttl, embedder, vectors = [] } = item;
  const _id = itemKey(tenant, namespace, key);
  const ttlMs = typeof ttl === 'number' ? ttl * MINUTE_MS : undefined;
  const set = {
    value: encode(item),
    labels: labelsOf(value),
    updatedAt: now,
    ...(ttlMs !== undefined && { ttlMs, expiresAt: new Date(now.getTime() + ttlMs) }),
    ...(embedder !== undefined && vectors.length > 0 && { embedder, vectors: vectors.map(toBinary) }),
  };
  const unset = (['ttlMs', 'expiresAt', 'embedder', 'vectors'] as const).filter((field) => !(field in set));
  const setOnInsert = {
    tenant,
    path: pathOf(namespace),
    ancestors: ancestorsOf(tenant, namespace),
    key,
    order: new ObjectId(),
    createdAt: now,
  };
  return [
    { deleteOne: { filter: { _id, expiresAt: { $lte: now } } } },
    {
      updateOne: {
        filter: { _id },
        update: {
          $set: set,
          $setOnInsert: setOnInsert,
          ...(unset.length > 0 && { $unset: Object.fromEntries(unset.map((field) => [field, ''])) }),
        },
        upsert: true,
      },
    },
  ];
}

export function toItem(document: ItemDocument): Item {
  const { path, key, value, createdAt, updatedAt } = document;
  return {
    namespace: namespaceOf(path),
    key,
    value: JSON.parse(value) as Record<string, unknown>,
    createdAt,
    updatedAt,
  };
}

/**
 * Returns the stored vectors of an item. Returns none if another embedder has computed them,
 * because vectors of different embedders cannot be compared.
 */
export function vectorsOf(document: ItemDocument, embedder: string): Float32Array[] {
  if (document.embedder !== embedder) return [];
  // Copy the bytes, because `Float32Array` cannot start at every offset of a buffer: the offset
  // must be a multiple of four.
  return (document.vectors ?? []).map(({ buffer, position }) => {
    const bytes = Uint8Array.from(buffer.subarray(0, position));
    return new Float32Array(bytes.buffer);
  });
}

function toBinary(vector: Float32Array): Binary {
  return new Binary(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength));
}

function encode({ namespace, key, value }: PutItem): string {
  const text = JSON.stringify(value);
  const bytes = Buffer.byteLength(text);
  if (bytes <= MAX_VALUE_BYTES) return text;
  throw new ColloquyError(
    'too_large',
    `item ${JSON.stringify(key)} of namespace ${namespace.join('.')} has ${bytes} bytes; the limit is ${MAX_VALUE_BYTES}`,
  );
}
