/**
 * Memory that agents keep across threads: LangGraph's store. Knows the database, but no threads and
 * no HTTP.
 */
export { createItemStore, ensureIndexes } from './mongo-items.js';
export type { ItemStoreOptions } from './mongo-items.js';
export { GraphStore } from './graph-store.js';
export { toEmbed } from './embedder.js';
export type { Embed } from './embedder.js';
export type { Embedder, ItemStore, MatchNamespaces, SearchItems, PutItem, StoreSettings } from './ports.js';
