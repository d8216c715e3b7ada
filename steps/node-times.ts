import { clearTimeout, setTimeout } from 'node:timers';
import type { LoadedGraph } from '../agents/index.js';
import { ColloquyError } from '../protocol/index.js';
import { nodeOptions } from './node-options.js';

/** The longest delay of a timer in Node.js, in ms. With a longer delay, the timer fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Knows which nodes of a turn are running, and enforces the limits in their metadata
 * (`metadata.temporal.startToCloseTimeout`).
 */
export class NodeTimes {
  readonly #onTimeout: (error: Error) => void;
  #running = 0;
  #timeout: Error | undefined;
  #hasLeftTool = false;
  #whenReturned: (() => void)[] = [];
  #runningTools = 0;

  constructor(onTimeout: (error: Error) => void) {
    this.#onTimeout = onTimeout;
  }

  get timeout(): Error | undefined {
    return this.#timeout;
  }

  /** Called when a node starts. Returns the function to call when it has ended. */
  start(graph: LoadedGraph, node: string): () => void {
    const limitMs = nodeOptions(graph, node).startToCloseTimeoutMs;
    if (limitMs === undefined) return () => undefined;
    const timer = setTimeout(() => this.#expire(node, limitMs), longest(limitMs));
    return () => clearTimeout(timer);
  }

  /** Called when the code of a node starts. Returns the function to call when it has returned. */
  startCode(): () => void {
    this.#running += 1;
    return () => {
      this.#running -= 1;
      if (this.#running === 0) for (const returned of this.#whenReturned.splice(0)) returned();
    };
  }

  /** Called when a tool is called. Returns the function to call when LangChain has its result. */
  startTool(): () => void {
    this.#runningTools += 1;
    return () => {
      this.#runningTools -= 1;
    };
  }

  /** Must be called when the signal of the run fires, before anything else reacts to it. */
  abort(): void {
    this.#hasLeftTool = this.#runningTools > 0;
  }

  /**
   * Resolves to true when no node runs, or to false after `graceMs`. Also resolves to false if a tool
   * was running when the signal fired. LangChain then reports the tool as failed at once, so nobody
   * knows whether its code has stopped.
   */
  async allReturned(graceMs: number): Promise<boolean> {
    if (this.#hasLeftTool) return false;
    if (this.#running === 0) return true;
    return new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), graceMs);
      this.#whenReturned.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  #expire(node: string, limitMs: number): void {
    const message = `node ${node} took longer than its timeout of ${limitMs} ms`;
    this.#timeout ??= new ColloquyError('graph_transient', message, { errorName: 'TimeoutError' });
    this.#onTimeout(this.#timeout);
  }
}

function longest(ms: number): number {
  return Math.min(ms, LONGEST_TIMER_MS);
}
