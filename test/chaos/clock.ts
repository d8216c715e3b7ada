import { setMaxListeners } from 'node:events';

/** When to stop new requests, and when to stop waiting. */
export class Clock {
  readonly #stop = new AbortController();
  readonly #giveUp = new AbortController();

  constructor() {
    // Every request and pause listens to this signal.
    setMaxListeners(0, this.#giveUp.signal);
  }

  /** No new messages are sent from now on. */
  stop(): void {
    this.#stop.abort();
  }

  /** Whatever still waits is stuck. */
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

  /** Resolves after a while, or at once when nothing is worth waiting for any more. */
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

/** Waited for until the end, in vain. */
export class StuckError extends Error {
  override readonly name = 'StuckError';
}
