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
  /** Labels of the namespace, joined by colons. */
  path: string;
  /** A key for each prefix of the namespace, also for the empty prefix: `<tenant>/<prefix>`. */
  ancestors: string[];
  key: string;
  /** JSON text, because a user's keys may contain dots and dollars. Keys of a document must not. */
  value: string;
  /** See `labelsOf`. */
  labels: string[];
  /** Orders items that were created in the same millisecond. */
  order: ObjectId;
  createdAt: Date;
  updatedAt: Date;
  ttlMs?: number;
  expiresAt?: Date;
  /** Id of the embedder that computed the vectors. */
  embedder?: string;
  /** Little-endian float32 values; one vector for each embedded text. */
  vectors?: Binary[];
}

export interface EmbeddedItem extends PutItem {
  embedder?: string;
  vectors?: Float32Array[];
}

/** Leaves room for vectors and labels: MongoDB limits a document to 16 MB. */
const MAX_VALUE_BYTES = 12 * 2 ** 20;
const MINUTE_MS = 60_000;

/**
 * Returns the operations that upsert an item. They first delete an expired item with the same key
 * that MongoDB has not removed yet.
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
 * Returns the vectors of an item. Returns none if another embedder computed them, because such
 * vectors cannot be compared.
 */
export function vectorsOf(document: ItemDocument, embedder: string): Float32Array[] {
  if (document.embedder !== embedder) return [];
  // Copy the bytes, because Float32Array needs an offset that is a multiple of four.
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
