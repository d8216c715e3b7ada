import { LRUCache } from 'lru-cache';
import { DEFAULTS } from '../../../protocol/index.js';
import { isIntact, type Leaf } from '../values/long-list.js';
import { bytes, type StateDocument } from '../state-documents.js';

/** Estimated memory that an entry or document takes besides its data. */
const OVERHEAD_BYTES = 200;
/** Estimated size of a decoded leaf, as a multiple of its stored size. */
const DECODED_FACTOR = 4;
/** Prefix for the cache keys of decoded leaves. No document has a key with this prefix. */
const DECODED = 'decoded:';

interface CacheEntry {
  documents?: StateDocument[];
  leaf?: Leaf;
}

/**
 * LRU cache of a worker's state documents, up to a number of bytes. Checkpoints and values never
 * change under their key, so a cached document cannot be stale. Pending writes are cached under the
 * revision of the head at which they were complete. Leaves of long lists are also cached in decoded
 * form. Decoding a leaf costs forty times as much as checking that a decoded leaf has not changed.
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
   * Removes a decoded leaf from the cache and returns it, so that only one reader has it. The
   * reader may give it back. Returns undefined if the leaf is not cached, or if its elements were
   * changed.
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
