/** One of several readers of the same events. */
export interface Place {
  /** Resolves when every other reader has come as far as this one; at once when it has left. */
  isTurn(): Promise<void>;
  /** It has dealt with all events up to this one. */
  reach(seq: number): void;
}

/** Keeps readers of the same events in step: who is ahead waits, so that what goes out stays in order over all of them. */
export class Order {
  readonly #reached = new Map<Place, number>();
  #waiting: (() => void)[] = [];

  /** A reader that begins behind an event, and leaves with its signal. */
  join(seq: number, signal: AbortSignal): Place {
    const place: Place = {
      isTurn: async () => {
        while (!signal.aborted && this.#isAhead(place)) await new Promise<void>((wake) => this.#waiting.push(wake));
      },
      reach: (reached) => {
        if (!this.#reached.has(place)) return;
        this.#reached.set(place, reached);
        this.#wake();
      },
    };
    if (signal.aborted) return place;
    this.#reached.set(place, seq);
    signal.addEventListener('abort', () => {
      this.#reached.delete(place);
      this.#wake();
    });
    return place;
  }

  #isAhead(place: Place): boolean {
    const own = this.#reached.get(place) ?? 0;
    return [...this.#reached.values()].some((reached) => reached < own);
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
