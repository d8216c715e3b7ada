import type { Readable } from 'node:stream';

/** How much of the end of stderr is kept, in characters. */
const KEPT = 4_000;
/**
 * How many bytes of stderr are passed on in a second. What comes above that is dropped, because
 * writing it would keep the process from its work.
 */
const BYTES_PER_SECOND = 1_000_000;

/** Passes the standard error of an executor on to our own, and keeps its end. */
export class StderrTail {
  #text = '';
  #left = BYTES_PER_SECOND;
  #dropped = 0;

  constructor(stream: Readable | null) {
    const refill = setInterval(() => this.#refill(), 1_000).unref();
    stream?.on('data', (chunk: Buffer) => this.#take(chunk));
    stream?.on('close', () => {
      clearInterval(refill);
      this.#refill();
    });
  }

  /** The end of what the executor has written. */
  get text(): string {
    return this.#text.trim();
  }

  #take(chunk: Buffer): void {
    this.#text = (this.#text + chunk.subarray(-4 * KEPT).toString('utf8')).slice(-KEPT);
    if (chunk.length > this.#left) {
      this.#dropped += chunk.length;
      return;
    }
    this.#left -= chunk.length;
    process.stderr.write(chunk);
  }

  #refill(): void {
    this.#left = BYTES_PER_SECOND;
    if (this.#dropped === 0) return;
    process.stderr.write(`\n(${this.#dropped} bytes that an executor wrote to stderr are left out)\n`);
    this.#dropped = 0;
  }
}
