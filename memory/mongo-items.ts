import type { Collection, Db, Filter } from 'mongodb';
import type { SearchItem } from '@langchain/langgraph-checkpoint';
import { ColloquyError } from '../protocol/index.js';
import { embed } from './embedder.js';
import { compileFilter, requiredLabels } from './filter.js';
import { putOperations, toItem, vectorsOf, type EmbeddedItem, type ItemDocument } from './item-documents.js';
import { isDuplicateKey, openCollection, withDatabaseErrors } from '../database/index.js';
import { ancestor, commonPrefix, guardNamespace, itemKey, matches, namespaceOf, pathOf } from './namespaces.js';
import type { Embedder, ItemStore, PutItem, SearchItems, StoreSettings } from './ports.js';
import { rank } from './ranking.js';
import { textsOf } from './texts.js';

export interface ItemStoreOptions extends StoreSettings {
  db: Db;
  /**
   * Maximum number of items that a search by similarity may rank, because this process compares
   * their vectors one by one. Default: 10,000.
   */
  maxRanked?: number;
}

const DEFAULT_MAX_RANKED = 10_000;
const BATCH = 200;

/**
 * Creates the indexes of the collection `items`. Idempotent. MongoDB removes expired items only
 * once a minute, so reads must leave out expired items.
 */
export async function ensureIndexes(db: Db): Promise<void> {
  await db.collection<ItemDocument>('items').createIndexes([
    { key: { ancestors: 1, createdAt: 1, order: 1 }, name: 'namespace' },
    { key: { expiresAt: 1 }, name: 'expiry', expireAfterSeconds: 0 },
  ]);
}

/** Creates the item store that keeps LangGraph's store items in MongoDB. */
export function createItemStore(options: ItemStoreOptions): ItemStore {
  const { db, ttl = {}, index, maxRanked = DEFAULT_MAX_RANKED } = options;
  const items = openCollection<ItemDocument>(db, 'items');
  const refreshes = (requested: boolean | undefined) => requested ?? ttl.refreshOnRead ?? true;

  /**
   * Restarts the time to live of the found items. An item without a time to live stays unchanged.
   */
  async function refresh(found: ItemDocument[]): Promise<void> {
    const now = Date.now();
    const writes = found.flatMap(({ _id, ttlMs }) =>
      ttlMs === undefined
        ? []
        : [{ updateOne: { filter: { _id, ttlMs }, update: { $set: { expiresAt: new Date(now + ttlMs) } } } }],
    );
    if (writes.length > 0) await items.bulkWrite(writes, { ordered: false });
  }

  return withDatabaseErrors<ItemStore>({
    async getItem(caller, namespace, key, { refreshTtl } = {}) {
      guardNamespace(namespace);
      const found = await items.findOne(
        { _id: itemKey(caller.tenant, namespace, key) },
        { projection: { vectors: 0 } },
      );
      if (found === null || isExpired(found)) return null;
      if (refreshes(refreshTtl)) await refresh([found]);
      return toItem(found);
    },

    async putItems(caller, puts) {
      for (const { namespace } of puts) guardNamespace(namespace);
      const last = new Map(puts.map((put) => [itemKey(caller.tenant, put.namespace, put.key), put]));
      const embedded = await embedAll(
        [...last.values()].map((put) => withTtl(put, ttl.defaultMinutes)),
        index,
      );
      const now = new Date();
      const writes = embedded.flatMap((put) => putOperations(caller.tenant, put, now));
      if (writes.length === 0) return;
      await items.bulkWrite(writes).catch(async (error: unknown) => {
        // A concurrent writer has inserted one of these items at the same time as our upsert. That
        // item exists now, so a repetition of the writes updates it.
        if (!isDuplicateKey(error)) throw error;
        await items.bulkWrite(writes);
      });
    },

    async deleteItem(caller, namespace, key) {
      guardNamespace(namespace);
      await items.deleteOne({ _id: itemKey(caller.tenant, namespace, key) });
    },

    async searchItems(caller, search) {
      guardNamespace(search.namespacePrefix, { allowEmpty: true });
      const filtered = { ...search, matchesFilter: compileFilter(search.filter) };
      const found =
        index !== undefined && search.query
          ? await searchRanked(items, caller.tenant, filtered, { text: search.query, embedder: index, maxRanked })
          : await searchInOrder(items, caller.tenant, filtered);
      if (refreshes(search.refreshTtl)) await refresh(found.map(({ document }) => document));
      return found.map(
        ({ document, score }): SearchItem => ({ ...toItem(document), ...(score !== undefined && { score }) }),
      );
    },

    async listNamespaces(caller, { conditions = [], maxDepth, limit, offset = 0 }) {
      for (const { path } of conditions) guardNamespace(path, { allowEmpty: true });
      const filter = { ancestors: ancestor(caller.tenant, commonPrefix(conditions)), ...notExpired() };
      const groups = await items
        .aggregate<{ _id: string }>([{ $match: filter }, { $group: { _id: '$path' } }])
        .toArray();
      const all = groups
        .map(({ _id }) => namespaceOf(_id))
        .filter((one) => conditions.every((rule) => matches(rule, one)));
      const paths = [
        ...new Set(all.map((one) => pathOf(maxDepth === undefined ? one : one.slice(0, maxDepth)))),
      ].sort();
      return paths.slice(offset, limit === undefined ? undefined : offset + limit).map(namespaceOf);
    },

    async clear(caller) {
      await items.deleteMany({ ancestors: ancestor(caller.tenant, []) });
    },
  });
}

type FoundItem = { document: ItemDocument; score?: number };
type JsonObject = Record<string, unknown>;
type FilteredSearch = SearchItems & { matchesFilter: (value: JsonObject) => boolean };

/**
 * Returns one page (`offset`, `limit`) of the items that match the search, in the order of their
 * creation.
 */
async function searchInOrder(
  items: Collection<ItemDocument>,
  tenant: string,
  search: FilteredSearch,
): Promise<FoundItem[]> {
  const { limit, offset } = search;
  const found: FoundItem[] = [];
  let matched = 0;
  for await (const document of candidates(items, tenant, search, { vectors: 0 })) {
    if (found.length >= limit) break;
    matched += 1;
    if (matched > offset) found.push({ document });
  }
  return found;
}

/**
 * Returns one page (`offset`, `limit`) of the items that match the search, the most similar to the
 * query text first. Errors: `too_large` if more than `maxRanked` items match.
 */
async function searchRanked(
  items: Collection<ItemDocument>,
  tenant: string,
  search: FilteredSearch,
  { text, embedder, maxRanked }: { text: string; embedder: Embedder; maxRanked: number },
): Promise<FoundItem[]> {
  const [query] = await embed(embedder, [text]);
  const found: { item: ItemDocument; vectors: Float32Array[] }[] = [];
  for await (const document of candidates(items, tenant, search)) {
    if (found.length === maxRanked) {
      throw new ColloquyError(
        'too_large',
        `a query under namespace ${JSON.stringify(search.namespacePrefix)} would rank more than ${maxRanked} items; narrow the namespace or the filter`,
      );
    }
    const { vectors: _, ...item } = document;
    found.push({ item, vectors: vectorsOf(document, embedder.id) });
  }
  const page = rank(query ?? new Float32Array(), found).slice(search.offset, search.offset + search.limit);
  return page.map(({ item, score }) => ({ document: item, ...(score !== undefined && { score }) }));
}

/** Yields the items under the namespace prefix that match the filter and have not expired. */
async function* candidates(
  items: Collection<ItemDocument>,
  tenant: string,
  { namespacePrefix, filter, matchesFilter }: FilteredSearch,
  projection: Partial<Record<keyof ItemDocument, 0>> = {},
): AsyncGenerator<ItemDocument> {
  const labels = requiredLabels(filter);
  const query: Filter<ItemDocument> = {
    ancestors: ancestor(tenant, namespacePrefix),
    ...(labels.length > 0 && { labels: { $all: labels } }),
    ...notExpired(),
  };
  const cursor = items.find(query, { projection, batchSize: BATCH }).sort({ createdAt: 1, order: 1 });
  try {
    for await (const document of cursor) {
      if (filter === undefined || matchesFilter(JSON.parse(document.value) as JsonObject)) yield document;
    }
  } finally {
    await cursor.close();
  }
}

/**
 * Returns the items with their vectors. Calls the embedder only once, with all texts of all items.
 */
async function embedAll(puts: PutItem[], embedder: Embedder | undefined): Promise<EmbeddedItem[]> {
  if (embedder === undefined) return puts;
  const texts = puts.map((put) => (put.index === false ? [] : textsOf(put, put.index ?? embedder.fields)));
  const vectors = await embed(embedder, texts.flat());
  return puts.map((put, at) => ({ ...put, embedder: embedder.id, vectors: vectors.splice(0, texts[at]?.length ?? 0) }));
}

function withTtl(put: PutItem, defaultMinutes: number | undefined): PutItem {
  return put.ttl === undefined && defaultMinutes !== undefined ? { ...put, ttl: defaultMinutes } : put;
}

function isExpired({ expiresAt }: ItemDocument): boolean {
  return expiresAt !== undefined && expiresAt.getTime() <= Date.now();
}

function notExpired(): Filter<ItemDocument> {
  return { expiresAt: { $not: { $lte: new Date() } } };
}
