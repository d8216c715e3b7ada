import pLimit, { type LimitFunction } from 'p-limit';
import { ColloquyError } from '../protocol/index.js';
import type { Logger } from '../telemetry/index.js';
import { CallHost, isNotLoaded, type GraphCall } from './call-host.js';
import { ExecutorEnded, describeEnding, type ExecutorProcess } from './executor-process.js';

export interface CallPoolOptions {
  /** Starts an executor for calls of any graph. `isFirst`: it is started before the first call. */
  start: (isFirst: boolean) => ExecutorProcess;
  /** Ids of the project's graphs. */
  graphIds: readonly string[];
  /** Resident memory, in bytes, above which an executor gets no new calls. */
  replaceAboveBytes: number;
  /** How long a call may block an executor, in ms. Default: {@link BLOCK_LIMIT_MS}. */
  blockLimitMs?: number;
  logger: Logger;
}

/**
 * How long a call may block an executor, in ms. Then the executor is ended. A read or an edit takes
 * milliseconds, and a client waits for it. A graph that needs seconds to load still has enough time.
 */
const BLOCK_LIMIT_MS = 30_000;
/**
 * A graph that has ended or blocked an executor has an executor of its own for so long, in ms. If
 * this executor has had nothing to do for so long, it is ended.
 */
const APART_MS = 300_000;
/** Largest number of executors for the same calls. There are several only if some are blocked. */
const MOST_HOSTS = 3;
/** Number of reads of one graph that are repeated alone at the same time. */
const MOST_ALONE = 2;
const CHECK_MS = 250;
/** If a check is so late, in ms, this process was blocked itself, and its executors need not be. */
const LATE_MS = 1_000;

/**
 * Runs the calls of a process that runs no user code itself. The reads of all graphs share one
 * executor. A graph whose code may have ended or blocked it gets an executor of its own for some
 * time. Edits always run in an executor of their graph, because an edit cannot be repeated after the
 * code of another graph has ended the executor.
 */
export class CallPool {
  readonly #options: CallPoolOptions;
  readonly #hosts = new Set<CallHost>();
  /** Graphs whose reads have an executor of their own, and until when. */
  readonly #apart = new Map<string, number>();
  readonly #lanes = new Map<string | undefined, LimitFunction>();
  readonly #timer: NodeJS.Timeout;
  readonly #blockLimitMs: number;
  #lastCheck = performance.now();
  #isStopped = false;

  constructor(options: CallPoolOptions) {
    this.#options = options;
    this.#blockLimitMs = options.blockLimitMs ?? BLOCK_LIMIT_MS;
    this.#timer = setInterval(() => this.#check(), CHECK_MS).unref();
  }

  /** Starts the shared executor before the first call. Errors: those of its start. */
  async open(): Promise<void> {
    await this.#start(undefined, true).executor.ready;
  }

  /**
   * Runs a call. Errors: those of the handler; `graph_failed` if the code of the graph ends or blocks
   * its executor; `unavailable` if no executor can start.
   */
  async call(call: GraphCall): Promise<unknown> {
    try {
      return await (call.isEdit ? this.#edit(call) : this.#read(call));
    } catch (error) {
      if (isNotLoaded(error)) this.#setApart(call);
      throw error;
    }
  }

  /** Gives new calls to new executors. Calls that are running finish in the old ones. */
  replaceAll(): void {
    for (const { executor } of this.#hosts) executor.isRetired = true;
    this.#apart.clear();
    this.#check();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    clearInterval(this.#timer);
    await Promise.all([...this.#hosts].map(({ executor }) => executor.kill()));
  }

  async #edit(call: GraphCall): Promise<unknown> {
    const host = this.#host(this.#ownOf(call));
    return host.run(call).catch((error: unknown) => {
      throw this.#explain(error, host, call);
    });
  }

  async #read(call: GraphCall): Promise<unknown> {
    try {
      if (this.#isApart(call)) return await this.#readIn(this.#ownOf(call), call);
      return await this.#readShared(call);
    } catch (error) {
      if (!(error instanceof ExecutorEnded)) throw error;
      this.#setApart(call);
      return this.#alone(call);
    }
  }

  /**
   * Reads in the executor that graphs share. If it is blocked and several calls are in it, also reads
   * in an executor of the graph. The first answer counts.
   */
  #readShared(call: GraphCall): Promise<unknown> {
    return new Promise((resolve, reject) => {
      let attempts = 1;
      const failed = (error: Error) => {
        attempts -= 1;
        if (attempts === 0 || !(error instanceof ExecutorEnded)) reject(error);
      };
      const blocked = () => {
        attempts += 1;
        this.#readIn(this.#ownOf(call), call).then(resolve, failed);
      };
      this.#readIn(undefined, call, blocked).then(resolve, failed);
    });
  }

  async #readIn(graphId: string | undefined, call: GraphCall, blocked?: () => void): Promise<unknown> {
    const host = this.#host(graphId);
    return host.run(call, blocked).catch((error: unknown) => {
      if (host.isBlockerKnown || this.#isStopped) throw this.#explain(error, host, call);
      if (error instanceof ExecutorEnded) this.#report(error, host, call);
      throw error;
    });
  }

  /**
   * Repeats a read whose executor has ended, in an executor of its own. Only now it is certain whether
   * the code of its graph is to blame.
   */
  #alone(call: GraphCall): Promise<unknown> {
    const own = this.#ownOf(call);
    const lane = this.#lanes.get(own) ?? pLimit(MOST_ALONE);
    this.#lanes.set(own, lane);
    return lane(async () => {
      const host = this.#start(own);
      host.executor.isReserved = true;
      return host
        .run(call)
        .catch((error: unknown) => {
          throw this.#explain(error, host, call);
        })
        .finally(() => host.close());
    });
  }

  /** Returns the graph of a call, or undefined if the project had no such graph when it was read. */
  #ownOf({ graphId }: GraphCall): string | undefined {
    return this.#options.graphIds.includes(graphId) ? graphId : undefined;
  }

  #isApart({ graphId }: GraphCall): boolean {
    return (this.#apart.get(graphId) ?? 0) > performance.now();
  }

  #setApart({ graphId }: Pick<GraphCall, 'graphId'>): void {
    if (this.#options.graphIds.includes(graphId)) this.#apart.set(graphId, performance.now() + APART_MS);
  }

  /** Returns an executor for the calls of a graph, or the one that graphs share. */
  #host(graphId: string | undefined): CallHost {
    const alike = [...this.#hosts].filter((host) => host.graphId === graphId && !isTaken(host));
    const usable = alike.find((host) => host.isUsable);
    if (usable !== undefined) return usable;
    const blocked = alike.filter(({ executor }) => executor.isBlocked && !executor.hasEnded);
    return (blocked.length < MOST_HOSTS ? undefined : blocked.at(-1)) ?? this.#start(graphId);
  }

  #start(graphId: string | undefined, isFirst = false): CallHost {
    const { start, logger } = this.#options;
    if (this.#isStopped) throw stopping();
    const executor = start(isFirst);
    const host = new CallHost(executor, graphId);
    this.#hosts.add(host);
    executor.onUncaught = (id) => {
      const culprit = host.graphOf(id);
      if (culprit === undefined) return;
      logger.error(`executor ${executor.pid}: code of graph ${culprit} has thrown an exception that nobody caught`);
      this.#setApart({ graphId: culprit });
    };
    void executor.exited.then((ending) => {
      this.#hosts.delete(host);
      if (host.isClosing || this.#isStopped) return;
      const graphs = host.recentGraphIds;
      logger.error(`executor ${executor.pid} has ended: ${describeEnding(ending)}`, { graph_ids: graphs.join(', ') });
      for (const one of graphs) this.#setApart({ graphId: one });
    });
    return host;
  }

  #check(): void {
    const now = performance.now();
    const wasBlockedItself = now - this.#lastCheck > LATE_MS;
    this.#lastCheck = now;
    for (const host of this.#hosts) {
      const { executor } = host;
      if (executor.isBlocked && !wasBlockedItself) this.#handleBlocked(host, now);
      else host.blockedSince = undefined;
      if (executor.rss > this.#options.replaceAboveBytes || host.expiresAt < now) executor.isRetired = true;
      const isIdle = host.graphId !== undefined && now - executor.lastUsed > APART_MS;
      if (host.load === 0 && (executor.isRetired || isIdle)) host.close();
    }
  }

  #handleBlocked(host: CallHost, now: number): void {
    const { executor, graphIds } = host;
    if (host.blockedSince === undefined) {
      host.blockedSince = now;
      executor.isRetired = true;
      this.#options.logger.warn(`executor ${executor.pid} is blocked`, { graph_ids: graphIds.join(', ') });
      for (const graphId of graphIds) this.#setApart({ graphId });
      host.tellBlocked();
    } else if (now - host.blockedSince > this.#blockLimitMs && !host.isClosing) {
      host.endBlocked();
    }
  }

  /** Returns the error of a call whose executor has ended. Returns any other error unchanged. */
  #explain(error: unknown, host: CallHost, call: GraphCall): unknown {
    if (!(error instanceof ExecutorEnded)) return error;
    if (this.#isStopped) return stopping(error);
    this.#report(error, host, call);
    const { graphId, purpose, isEdit } = call;
    const { ending } = error;
    const ended = host.wasBlockedTooLong
      ? `was ended, because its code had blocked it for ${this.#blockLimitMs / 1_000} s`
      : `has ended: ${describeEnding(ending)}`;
    const after = isEdit ? '; the edit may have been written, so read the state before you repeat it' : '';
    const lines = ending.stderr === '' ? '' : `; the last lines of its standard error:\n${ending.stderr}`;
    const message = `the process that ${purpose} (graph ${graphId}) ${ended}${after}${lines}`;
    return new ColloquyError('graph_failed', message, { cause: error, errorName: 'process_crashed' });
  }

  #report({ ending, role }: ExecutorEnded, { executor }: CallHost, { graphId, name }: GraphCall): void {
    const message = `executor ${executor.pid} of graph ${graphId}: ${describeEnding(ending)}`;
    this.#options.logger.error(message, { call: name, role });
  }
}

/** Returns whether an executor is for one call alone, or is being ended. */
function isTaken({ executor, isClosing }: CallHost): boolean {
  return isClosing || executor.isReserved;
}

function stopping(cause?: unknown): ColloquyError {
  return new ColloquyError('unavailable', 'this process is being stopped', { cause });
}
