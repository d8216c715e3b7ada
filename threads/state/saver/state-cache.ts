import { isIntact, type Leaf } from '../values/long-list.js';
import { bytes, type StateDocument } from '../state-documents.js';

const OVERHEAD_BYTES = 200;
/** A decoded leaf takes so many times the bytes it is stored in: objects, and the marks of what they were. */
const DECODED_FACTOR = 4;
/** Before the key of a leaf that is kept decoded, as no key of a document begins. */
const DECODED = 'decoded:';

interface Entry {
  documents: StateDocument[];
  leaf?: Leaf;
  bytes: number;
}

/**
 * State documents a worker has read or written, the most recent ones up to a number of bytes. Checkpoints and values never change under their
 * key, so they can not be stale; pending writes are kept with the revision of the head they were complete at. Leaves of long lists are kept
 * decoded too: reading one costs forty times what it costs to see that nobody has changed it.
 */
export class StateCache {
  readonly #maxBytes: number;
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  constructor(maxBytes = 64 * 1024 * 1024) {
    this.#maxBytes = maxBytes;
  }

  get(key: string): StateDocument[] | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.documents;
  }

  set(key: string, documents: StateDocument[]): void {
    this.#keep(key, { documents, bytes: documents.reduce((sum, document) => sum + size(document), OVERHEAD_BYTES) });
  }

  keepLeaf(key: string, leaf: Leaf): void {
    this.#keep(DECODED + key, { documents: [], leaf, bytes: OVERHEAD_BYTES + leaf.size * DECODED_FACTOR });
  }

  /** Hands a leaf out to one reader, who may give it back; not one whose elements somebody has changed. */
  takeLeaf(key: string): Leaf | undefined {
    const leaf = this.#entries.get(DECODED + key)?.leaf;
    this.#drop(DECODED + key);
    return leaf !== undefined && isIntact(leaf) ? leaf : undefined;
  }

  #keep(key: string, entry: Entry): void {
    this.#drop(key);
    if (entry.bytes > this.#maxBytes / 4) return;
    this.#entries.set(key, entry);
    this.#bytes += entry.bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#bytes <= this.#maxBytes) break;
      this.#drop(oldest);
    }
  }

  #drop(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#bytes -= entry.bytes;
  }
}

function size(document: StateDocument): number {
  return OVERHEAD_BYTES + document._id.length + (document.metadata?.length ?? 0) + bytes(document).length;
}
