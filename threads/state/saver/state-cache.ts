import { LRUCache } from 'lru-cache';
import { DEFAULTS } from '../../../protocol/index.js';
import { isIntact, type Leaf } from '../values/long-list.js';
import { bytes, type StateDocument } from '../state-documents.js';

/** Estimated memory of an entry or document besides its data. */
const OVERHEAD_BYTES = 200;
/** Estimated size of a decoded leaf, as a multiple of its stored size. */
const DECODED_FACTOR = 4;
/** Prefix for keys of decoded leaves. No key of a document begins with it. */
const DECODED = 'decoded:';

interface CacheEntry {
  documents?: StateDocument[];
  leaf?: Leaf;
}

/**
 * LRU cache of a worker's state documents, up to a number of bytes. Checkpoints and values never
 * change under their key, so they cannot be stale. Pending writes are cached under the head's
 * revision at which they were complete. Leaves of long lists are also cached decoded: decoding a
 * leaf costs forty times as much as checking that it has not changed.
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
   * Removes a leaf from the cache and hands it to one reader, who may give it back. Returns
   * undefined if its elements were changed.
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
