/**
 * Random numbers (mulberry32) that depend only on a seed and on a name, the parameter `stream`.
 * Each part of the chaos program uses another name, so that the numbers of one part do not depend
 * on other parts.
 */
export class Random {
  #state: number;

  constructor(seed: number, stream = '') {
    this.#state = seed >>> 0;
    for (const character of stream) this.#state = (Math.imul(this.#state, 31) + character.charCodeAt(0)) >>> 0;
    this.next();
  }

  /** Returns a number from 0 (inclusive) to 1 (exclusive). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  /** Returns an integer from `least` to `most`, both inclusive. */
  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.between(0, items.length - 1)];
    if (item === undefined) throw new RangeError('nothing to pick from');
    return item;
  }
}
