import type { Item, MatchCondition, SearchItem } from '@langchain/langgraph-checkpoint';
import type { Caller } from '../protocol/index.js';

export interface PutItem {
  namespace: string[];
  key: string;
  value: Record<string, unknown>;
  /** Paths of the value to embed. `false`: none. Absent: the paths of the store's configuration. */
  index?: false | string[];
  /** Minutes until the item expires. `null`: never. Absent: the default of the store. */
  ttl?: number | null;
}

export interface SearchItems {
  namespacePrefix: string[];
  /**
   * Top-level keys of the value. Each is compared with a value, or with an object of operators:
   * `$eq $ne $gt $gte $lt $lte $in $nin`.
   */
  filter?: Record<string, unknown>;
  /** Ranks items by similarity to this text. Ignored without an index, as in LangGraph's stores. */
  query?: string;
  limit: number;
  offset: number;
  /** Whether a read starts the time to live again. Absent: as the store is configured. */
  refreshTtl?: boolean;
}

export interface MatchNamespaces {
  conditions?: MatchCondition[];
  /** Deeper namespaces are cut to this many labels; duplicates are removed. */
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
   * The last of several items with one key wins. Errors: `too_large`; any error of the embedder.
   */
  putItems(caller: Caller, items: PutItem[]): Promise<void>;
  /** Idempotent. */
  deleteItem(caller: Caller, namespace: string[], key: string): Promise<void>;
  /**
   * In the order of creation; with a query and an index the most similar first. Errors: `too_large`
   * if a query would rank too many items.
   */
  searchItems(caller: Caller, search: SearchItems): Promise<SearchItem[]>;
  /** Namespaces that contain items, sorted. */
  listNamespaces(caller: Caller, match: MatchNamespaces): Promise<string[][]>;
  /** Deletes all items of the tenant. */
  clear(caller: Caller): Promise<void>;
}

/** Computes vectors of texts. Vectors of different embedders are never compared. */
export interface Embedder {
  /** Must change whenever new vectors cannot be compared with earlier ones. */
  id: string;
  dims: number;
  /** Paths of the value to embed. `$`: the whole value. */
  fields: string[];
  embed: (texts: string[]) => Promise<number[][]>;
}

export interface StoreSettings {
  ttl?: { defaultMinutes?: number; refreshOnRead?: boolean };
  index?: Embedder;
}
