import type { Item, MatchCondition, SearchItem } from '@langchain/langgraph-checkpoint';
import type { Caller } from '../protocol/index.js';

export interface PutItem {
  namespace: string[];
  key: string;
  value: Record<string, unknown>;
  /**
   * Paths in the value whose texts are embedded for searches by similarity. `false`: no text is
   * embedded. Absent: the paths of the store's configuration.
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
   * Conditions for an item's value, by top-level key of the value. A condition is a value that must
   * be equal, or an object of operators: `$eq $ne $gt $gte $lt $lte $in $nin`.
   */
  filter?: Record<string, unknown>;
  /**
   * Text with which items are compared: the items with the most similar texts come first. Ignored
   * if the store has no `index`, as in LangGraph's own stores.
   */
  query?: string;
  limit: number;
  offset: number;
  /**
   * Whether the search restarts the time to live of the items that it finds. Absent: the
   * configuration of the store decides.
   */
  refreshTtl?: boolean;
}

export interface MatchNamespaces {
  conditions?: MatchCondition[];
  /**
   * Maximum number of labels of a returned namespace. A namespace with more labels is cut to this
   * number. Namespaces that are equal after the cut are returned once.
   */
  maxDepth?: number;
  limit?: number;
  offset?: number;
}

/**
 * LangGraph's store for many tenants. Every call is authorized and reads or writes only the
 * caller's tenant. Errors of every call: `unavailable`; `invalid_argument` for a namespace with a
 * label that is empty or contains a dot or a colon.
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
   * Returns one page of the items that match the search, in the order of their creation. If the
   * search has a `query` and the store has an `index`, the most similar items come first. Errors:
   * `too_large` if more items match than the store can rank.
   */
  searchItems(caller: Caller, search: SearchItems): Promise<SearchItem[]>;
  /** Returns the namespaces that contain items and match the conditions, sorted. */
  listNamespaces(caller: Caller, match: MatchNamespaces): Promise<string[][]>;
  /** Deletes all items of the tenant. */
  clear(caller: Caller): Promise<void>;
}

/** Computes vectors of texts. Vectors of different embedders are never compared. */
export interface Embedder {
  /**
   * Id of the embedder. It must change whenever new vectors cannot be compared with earlier
   * vectors.
   */
  id: string;
  dims: number;
  /**
   * Paths in an item's value whose texts are embedded, unless the item names other paths. `$`: the
   * whole value.
   */
  fields: string[];
  embed: (texts: string[]) => Promise<number[][]>;
}

export interface StoreSettings {
  ttl?: { defaultMinutes?: number; refreshOnRead?: boolean };
  index?: Embedder;
}
