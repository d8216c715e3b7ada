import type { StateDocument } from './state-documents.js';

const OVERHEAD_BYTES = 200;

/**
 * State documents a worker has read or written, the most recent ones up to a number of bytes. Checkpoints and values never change under their
 * key, so they can not be stale; pending writes are kept with the revision of the head they were complete at.
 */
export class StateCache {
  readonly #maxBytes: number;
  readonly #entries = new Map<string, { documents: StateDocument[]; bytes: number }>();
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
    this.#drop(key);
    const bytes = documents.reduce((sum, document) => sum + size(document), OVERHEAD_BYTES);
    if (bytes > this.#maxBytes / 4) return;
    this.#entries.set(key, { documents, bytes });
    this.#bytes += bytes;
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
  return OVERHEAD_BYTES + document._id.length + (document.metadata?.length ?? 0) + (document.data as Uint8Array).length;
}
