/** Has work of the same kind wait for what was begun before it. */
export class Turns {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Does the work when all of this key before it has ended, well or not. */
  take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const go = async () => {
      await before?.catch(() => undefined); // told to who wanted it
      return work();
    };
    const turn = go().finally(() => {
      if (this.#last.get(key) === turn) this.#last.delete(key);
    });
    this.#last.set(key, turn);
    return turn;
  }
}
