import { LRUCache } from 'lru-cache';
import { DEFAULTS } from '../../../protocol/index.js';
import { isIntact, type Leaf } from '../values/long-list.js';
import { bytes, type StateDocument } from '../state-documents.js';

/** Estimated memory that a cache entry or a document takes besides its data, in bytes. */
const OVERHEAD_BYTES = 200;
/**
 * Estimated memory of a decoded leaf (a chunk of a long list), as a multiple of its stored size.
 */
const DECODED_FACTOR = 4;
/** Prefix of the cache keys of decoded leaves. No key of a document starts with it. */
const DECODED = 'decoded:';

interface CacheEntry {
  documents?: StateDocument[];
  leaf?: Leaf;
}

/**
 * LRU cache of state documents that a worker has read or written, limited in bytes. A cached
 * checkpoint or value cannot be stale, because it never changes under its key. The pending writes
 * of a checkpoint do change. Their cache key therefore contains the thread's revision (the number
 * of its commits), so it is a new key after each commit.
 *
 * Leaves (chunks of long lists) are also cached in decoded form. Decoding a leaf costs forty times
 * as much as checking that a decoded leaf has not changed.
 */
export class StateCache {
  readonly #entries: LRUCache<string, CacheEntry>;

  constructor(maxBytes: number = DEFAULTS.stateCacheBytes) {
    this.#entries = new LRUCache<string, CacheEntry>({
      maxSize: Math.max(maxBytes, 1),
      // One huge value must not evict everything else.
      maxEntrySize: Math.max(Math.floor(maxBytes / 4), 1),
    });
  }

  get(key: string): StateDocument[] | undefined {
    return this.#entries.get(key)?.documents;
  }

  set(key: string, documents: StateDocument[]): void {
    const bytes = documents.reduce((sum, document) => sum + size(document), OVERHEAD_BYTES);
    this.#entries.set(key, { documents }, { size: bytes });
  }

  keepLeaf(key: string, leaf: Leaf): void {
    this.#entries.set(DECODED + key, { leaf }, { size: OVERHEAD_BYTES + leaf.size * DECODED_FACTOR });
  }

  /**
   * Removes a decoded leaf (a chunk of a long list) from the cache and returns it, so that only one
   * reader has the leaf. The reader may give the leaf back with {@link keepLeaf}. Returns undefined
   * if the leaf is not cached, or if the graph has changed an element in place.
   */
  takeLeaf(key: string): Leaf | undefined {
    const leaf = this.#entries.peek(DECODED + key)?.leaf;
    this.#entries.delete(DECODED + key);
    return leaf !== undefined && isIntact(leaf) ? leaf : undefined;
  }
}

function size(document: StateDocument): number {
  return OVERHEAD_BYTES + document._id.length + (document.metadata?.length ?? 0) + bytes(document).length;
}
