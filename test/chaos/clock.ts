import { setMaxListeners } from 'node:events';

/** Tells the conversations of the test when to stop sending messages and when to stop waiting. */
export class Clock {
  readonly #stop = new AbortController();
  readonly #giveUp = new AbortController();

  constructor() {
    // Every request and every pause adds a listener, so Node.js must not warn about their number.
    setMaxListeners(0, this.#giveUp.signal);
  }

  /** From now on, conversations send no new messages. */
  stop(): void {
    this.#stop.abort();
  }

  /** Ends all waiting. Whatever still waits then counts as stuck. */
  giveUp(): void {
    this.#giveUp.abort();
  }

  get stopped(): boolean {
    return this.#stop.signal.aborted;
  }

  get expired(): boolean {
    return this.#giveUp.signal.aborted;
  }

  get expiry(): AbortSignal {
    return this.#giveUp.signal;
  }

  /** Resolves after `ms` milliseconds, or as soon as `giveUp` is called. */
  pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      if (this.expired) return resolve();
      const end = () => {
        clearTimeout(timer);
        this.expiry.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      this.expiry.addEventListener('abort', end);
    });
  }
}

/** Thrown if something has not happened before `giveUp` was called. */
export class StuckError extends Error {
  override readonly name = 'StuckError';
}
