import { LRUCache } from 'lru-cache';
import { GRAPH_NOT_LOADED } from '../agents/index.js';
import { ColloquyError, errorCode } from '../protocol/index.js';
import { ExecutorEnded, type ExecutorProcess } from './executor-process.js';

/** A call of a handler of an executor that uses the code of one graph. It is no step of a run. */
export interface GraphCall {
  /** Name of the handler. */
  name: string;
  args: unknown[];
  graphId: string;
  /** What the call does, for error messages: `reads the state of thread t_42`. */
  purpose: string;
  /** True if the call writes. Such a call is not repeated. */
  isEdit?: boolean;
}

/** How long the failure to load a graph is remembered, in ms. Its reason may be gone by then. */
const NOT_LOADED_MS = 10_000;
/** For so many calls, and for so long in ms, an executor remembers the graph that a call has used. */
const CALLS_KNOWN = 1_000;
const KNOWN_MS = 60_000;

interface RunningCall {
  call: GraphCall;
  blocked: () => void;
}

/** One executor of a `CallPool`, with the calls that it is answering. */
export class CallHost {
  /** True if the executor was killed, because its code has blocked it for too long. */
  wasBlockedTooLong = false;
  /** True if the only call in the executor was the one that blocked it for too long. */
  isBlockerKnown = false;
  /** Time from which on the executor gets no new calls, in ms of `performance.now()`. */
  expiresAt = Number.POSITIVE_INFINITY;
  /** Since when the executor is blocked, in ms of `performance.now()`. */
  blockedSince: number | undefined;
  isClosing = false;
  readonly #running = new Set<RunningCall>();
  readonly #known = new LRUCache<number, string>({ max: CALLS_KNOWN, ttl: KNOWN_MS });

  /** `graphId`: the only graph whose calls the executor gets. Absent: it gets calls of all graphs. */
  constructor(
    readonly executor: ExecutorProcess,
    readonly graphId?: string,
  ) {}

  /** Number of calls that run, or wait until the executor has started. */
  get load(): number {
    return this.#running.size;
  }

  /** The graphs of these calls. */
  get graphIds(): string[] {
    return [...new Set([...this.#running].map(({ call }) => call.graphId))];
  }

  /** The graphs whose code has run in the last minute. They may have left timers behind. */
  get recentGraphIds(): string[] {
    return [...new Set([...this.#known.values(), ...this.graphIds])];
  }

  get isUsable(): boolean {
    return !this.isClosing && !this.executor.isRetired && !this.executor.hasEnded && !this.executor.isBlocked;
  }

  /** Returns the graph that a call of this executor has used, also if the call has ended. */
  graphOf(id: number | undefined): string | undefined {
    return id === undefined ? undefined : this.#known.get(id);
  }

  /**
   * Runs a call. `blocked` is called if the executor is blocked meanwhile. Errors: `ExecutorEnded`;
   * `unavailable` if the executor cannot start; those of the call.
   */
  async run(call: GraphCall, blocked = () => {}): Promise<unknown> {
    const running = { call, blocked };
    this.#running.add(running);
    try {
      await this.executor.ready.catch(cannotStart);
      const { id, result } = this.executor.call(call.name, call.args);
      this.#known.set(id, call.graphId);
      return await result;
    } catch (error) {
      if (isNotLoaded(error)) this.expiresAt = Math.min(this.expiresAt, performance.now() + NOT_LOADED_MS);
      throw error;
    } finally {
      this.#running.delete(running);
    }
  }

  /** Tells the calls that the executor is blocked. A call that is alone in it is the reason itself. */
  tellBlocked(): void {
    if (this.load > 1) for (const { blocked } of [...this.#running]) blocked();
  }

  /** Ends an executor that is blocked for too long. */
  endBlocked(): void {
    this.wasBlockedTooLong = true;
    this.isBlockerKnown = this.load === 1;
    this.close();
  }

  /** Ends the executor. */
  close(): void {
    if (this.isClosing) return;
    this.isClosing = true;
    void this.executor.kill();
  }
}

/** Returns whether a call has failed because the module of its graph cannot be imported. */
export function isNotLoaded(error: unknown): boolean {
  return errorCode(error) !== undefined && (error as ColloquyError).errorName === GRAPH_NOT_LOADED;
}

function cannotStart(cause: unknown): never {
  if (cause instanceof ExecutorEnded) throw cause;
  const { message } = cause as Error;
  throw new ColloquyError('unavailable', `the process that reads states cannot start: ${message}`, { cause });
}
