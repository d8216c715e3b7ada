import type { Chunk } from './narrator.js';

/**
 * Gets the stream chunks about the graph's progress (tasks, checkpoints, state) a second time,
 * directly from the graph. Keeps each of them until the stream has delivered it too. If the stream
 * ends with an error, as it does when the graph is stopped, LangGraph may lose the last chunks of
 * the stream. The step then takes these chunks from here.
 */
export class Tap {
  readonly #chunks: Chunk[] = [];

  /**
   * Returns the value for `configurable.__pregel_stream`. LangGraph passes this value on to
   * subgraphs, so that their chunks also reach this tap.
   */
  stream(modes: string[]): { modes: Set<string>; push: (chunk: Chunk) => void } {
    return { modes: new Set(modes), push: (chunk) => this.#chunks.push(chunk) };
  }

  delivered(): void {
    this.#chunks.shift();
  }

  undelivered(): Chunk[] {
    return this.#chunks.splice(0);
  }
}
