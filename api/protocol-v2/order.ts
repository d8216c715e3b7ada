/** One of several readers of the same event log. */
export interface OrderedReader {
  /**
   * Resolves when every other reader has handled at least as many events as this one. Resolves at
   * once if this reader has left.
   */
  waitForTurn(): Promise<void>;
  /** Records that this reader has handled all events up to `seq`. */
  advanceTo(seq: number): void;
}

/**
 * Synchronises several readers of the same event log. A reader that is ahead waits for the others,
 * so that together they send the events in the order of the log.
 */
export class ReaderOrder {
  readonly #reached = new Map<OrderedReader, number>();
  #waiting: (() => void)[] = [];

  /**
   * Adds a reader that has handled all events up to `seq`. The reader leaves when `signal` is
   * aborted; then the others no longer wait for it.
   */
  join(seq: number, signal: AbortSignal): OrderedReader {
    const reader: OrderedReader = {
      waitForTurn: async () => {
        while (!signal.aborted && this.#isAhead(reader)) await new Promise<void>((wake) => this.#waiting.push(wake));
      },
      advanceTo: (reached) => {
        if (!this.#reached.has(reader)) return;
        this.#reached.set(reader, reached);
        this.#wake();
      },
    };
    if (signal.aborted) return reader;
    this.#reached.set(reader, seq);
    signal.addEventListener('abort', () => {
      this.#reached.delete(reader);
      this.#wake();
    });
    return reader;
  }

  #isAhead(reader: OrderedReader): boolean {
    const own = this.#reached.get(reader) ?? 0;
    return [...this.#reached.values()].some((reached) => reached < own);
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
