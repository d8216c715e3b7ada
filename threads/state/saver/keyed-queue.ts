/** Runs tasks with the same key sequentially. */
export class KeyedQueue {
  readonly #last = new Map<string, Promise<unknown>>();

  /** Runs a task after all earlier tasks with its key have settled. */
  run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const afterEarlier = async () => {
      // The caller of the earlier task handles its failure.
      await before?.catch(() => undefined);
      return task();
    };
    const result = afterEarlier().finally(() => {
      if (this.#last.get(key) === result) this.#last.delete(key);
    });
    this.#last.set(key, result);
    return result;
  }
}
