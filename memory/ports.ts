import type { Item, MatchCondition, SearchItem } from '@langchain/langgraph-checkpoint';
import type { Caller } from '../protocol/index.js';

export interface PutItem {
  namespace: string[];
  key: string;
  value: Record<string, unknown>;
  /**
   * The texts at these paths of the value are embedded. `false`: no text is embedded. Absent: the
   * paths of the store's configuration.
   */
  index?: false | string[];
  /**
   * Minutes until the item expires. `null`: the item never expires. Absent: the store's default.
   */
  ttl?: number | null;
}

export interface SearchItems {
  namespacePrefix: string[];
  /**
   * Conditions by top-level key of an item's value. A condition is a value to equal, or an object
   * of operators: `$eq $ne $gt $gte $lt $lte $in $nin`.
   */
  filter?: Record<string, unknown>;
  /**
   * Ranks items by similarity to this text. Ignored if the store has no index, as in LangGraph's
   * stores.
   */
  query?: string;
  limit: number;
  offset: number;
  /**
   * Whether the search starts the time to live of the found items again. Absent: the configuration
   * of the store decides.
   */
  refreshTtl?: boolean;
}

export interface MatchNamespaces {
  conditions?: MatchCondition[];
  /** Deeper namespaces are cut to this many labels. Duplicates that result from it are removed. */
  maxDepth?: number;
  limit?: number;
  offset?: number;
}

/**
 * LangGraph's store for many tenants. Every call is authorized and reads or writes only the
 * caller's tenant. Errors of every call: `invalid_argument` for a namespace with an empty label, a
 * dot or a colon; `unavailable`.
 */
export interface ItemStore {
  getItem(
    caller: Caller,
    namespace: string[],
    key: string,
    options?: { refreshTtl?: boolean | undefined },
  ): Promise<Item | null>;
  /**
   * Stores items. If several items have the same namespace and key, the last one is stored. Errors:
   * `too_large`; any error of the embedder.
   */
  putItems(caller: Caller, items: PutItem[]): Promise<void>;
  /** Deletes an item. Idempotent. */
  deleteItem(caller: Caller, namespace: string[], key: string): Promise<void>;
  /**
   * Returns items in the order of their creation. With a query and an index, the most similar items
   * come first. Errors: `too_large` if a query would rank too many items.
   */
  searchItems(caller: Caller, search: SearchItems): Promise<SearchItem[]>;
  /** Returns the namespaces that contain items, sorted. */
  listNamespaces(caller: Caller, match: MatchNamespaces): Promise<string[][]>;
  /** Deletes all items of the tenant. */
  clear(caller: Caller): Promise<void>;
}

/** Computes vectors of texts. Vectors of different embedders are never compared. */
export interface Embedder {
  /** Must change whenever new vectors cannot be compared with earlier vectors. */
  id: string;
  dims: number;
  /** The texts at these paths of a value are embedded. `$`: the whole value. */
  fields: string[];
  embed: (texts: string[]) => Promise<number[][]>;
}

export interface StoreSettings {
  ttl?: { defaultMinutes?: number; refreshOnRead?: boolean };
  index?: Embedder;
}
