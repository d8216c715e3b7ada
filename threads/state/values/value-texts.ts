import { LRUCache } from 'lru-cache';

/** Default size of the cache, in characters. */
const MAX_CHARACTERS = 32 * 2 ** 20;

/** Writes values as JSON, and caches the JSON texts of recently used chunks of long lists. */
export class ValueTexts {
  readonly #write: (value: unknown) => string;
  readonly #texts: LRUCache<string, string>;

  /** `write` returns the JSON text of a value. */
  constructor(write: (value: unknown) => string, maxCharacters = MAX_CHARACTERS) {
    this.#write = write;
    this.#texts = new LRUCache({
      maxSize: Math.max(maxCharacters, 1),
      sizeCalculation: (text) => Math.max(text.length, 1),
    });
  }

  of(value: unknown): string {
    return this.#write(value);
  }

  /** Returns the JSON text of the elements, without the brackets of a list. */
  ofElements(elements: readonly unknown[]): string {
    return this.#write(elements).slice(1, -1);
  }

  kept(key: string): string | undefined {
    return this.#texts.get(key);
  }

  /**
   * Caches the JSON text of a chunk. The text never becomes stale, because a chunk never changes
   * under its key.
   */
  keep(key: string, text: string): void {
    this.#texts.set(key, text);
  }
}
