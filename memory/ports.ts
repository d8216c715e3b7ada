import type { Item, MatchCondition, SearchItem } from '@langchain/langgraph-checkpoint';
import type { Caller } from '../protocol/index.js';

export interface PutItem {
  namespace: string[];
  key: string;
  value: Record<string, unknown>;
  /** Paths whose text is embedded; `false`: none; absent: as the store is configured. */
  index?: false | string[];
  /** Minutes to live, `null`: for ever; absent: as the store is configured. */
  ttl?: number | null;
}

export interface SearchItems {
  namespacePrefix: string[];
  /** Keys of the value, each equal to a value or held against operators: `$eq $ne $gt $gte $lt $lte $in $nin`. */
  filter?: Record<string, unknown>;
  /** Ranks by likeness in meaning where the store has an index; without one it has no effect, as in LangGraph's stores. */
  query?: string;
  limit: number;
  offset: number;
  /** Whether reading lengthens the life of what is found; absent: as the store is configured. */
  refreshTtl?: boolean;
}

export interface MatchNamespaces {
  conditions?: MatchCondition[];
  /** Deeper namespaces are cut to so many labels, each named once. */
  maxDepth?: number;
  limit?: number;
  offset?: number;
}

/**
 * LangGraph's store for many tenants. Every call takes the caller first, is authorized, and touches that tenant alone.
 * Errors of all: `invalid_argument` for namespaces with empty labels, dots or colons; `unavailable`.
 */
export interface ItemStore {
  getItem(
    caller: Caller,
    namespace: string[],
    key: string,
    options?: { refreshTtl?: boolean | undefined },
  ): Promise<Item | null>;
  /** Of several for one key the last counts. Errors: `too_large`; whatever the embedder throws. */
  putItems(caller: Caller, items: PutItem[]): Promise<void>;
  /** Idempotent. */
  deleteItem(caller: Caller, namespace: string[], key: string): Promise<void>;
  /** In the order they were made, or best first. Errors: `too_large` where a query would rank more than the limit. */
  searchItems(caller: Caller, search: SearchItems): Promise<SearchItem[]>;
  /** Namespaces that hold items, sorted. */
  listNamespaces(caller: Caller, match: MatchNamespaces): Promise<string[][]>;
  /** Removes everything the tenant keeps here. */
  clear(caller: Caller): Promise<void>;
}

/** Makes vectors of texts. Vectors of different embedders are never compared. */
export interface Embedder {
  /** Stays the same as long as the vectors may be compared. */
  id: string;
  dims: number;
  /** Paths whose text is embedded; `$`: the whole value. */
  fields: string[];
  embed: (texts: string[]) => Promise<number[][]>;
}

export interface StoreSettings {
  ttl?: { defaultMinutes?: number; refreshOnRead?: boolean };
  index?: Embedder;
}
