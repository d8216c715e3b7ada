const MAX_CHARACTERS = 32 * 2 ** 20;

/** A way to write values down, and what was written of the chunks of long lists, the most recent ones up to a number of characters. */
export class ValueTexts {
  readonly #write: (value: unknown) => string;
  readonly #maxCharacters: number;
  readonly #texts = new Map<string, string>();
  #characters = 0;

  /** `write` gives the JSON text of a value. */
  constructor(write: (value: unknown) => string, maxCharacters = MAX_CHARACTERS) {
    this.#write = write;
    this.#maxCharacters = maxCharacters;
  }

  of(value: unknown): string {
    return this.#write(value);
  }

  /** The elements alone, without brackets. */
  ofElements(elements: readonly unknown[]): string {
    return this.#write(elements).slice(1, -1);
  }

  kept(key: string): string | undefined {
    const text = this.#texts.get(key);
    if (text === undefined) return undefined;
    this.#texts.delete(key);
    this.#texts.set(key, text);
    return text;
  }

  /** Chunks never change under their key. */
  keep(key: string, text: string): void {
    if (this.#texts.has(key)) return;
    this.#texts.set(key, text);
    this.#characters += text.length;
    for (const [oldest, { length }] of this.#texts) {
      if (this.#characters <= this.#maxCharacters) break;
      this.#texts.delete(oldest);
      this.#characters -= length;
    }
  }
}
