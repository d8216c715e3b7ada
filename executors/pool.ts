import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import { errorCode } from '../protocol/index.js';
import { classifyFailure } from '../steps/index.js';
import type { Logger } from '../telemetry/index.js';
import type { StepTask } from '../workflows/contract.js';
import type { ExecutorProcess } from './executor-process.js';
import { ExecutorEnded, describeEnding, type Ending } from './executor-process.js';
import { KEPT_MS } from './paused-turns.js';
import type { AttemptFailure, AttemptResult } from './ports.js';

export interface PoolOptions {
  /** Starts an executor for one graph, or for all graphs of the project. */
  start: (options: { graphId?: string; isForSuspect: boolean }) => ExecutorProcess;
  /** Number of executors that are kept ready for the next graph that needs one. */
  spares: number;
  /** Number of steps in an executor from which on another executor is started for its graph. */
  stepsPerExecutor: number;
  /** Time in ms that a step gets to stop after it was given up, and other steps beside it to leave. */
  stopGraceMs: number;
  /** Resident memory, in bytes, above which an executor is replaced when its steps are done. */
  replaceAboveBytes: number;
  logger: Logger;
}

/** Why a step has no result: its executor has ended. */
export interface Crash {
  /**
   * `blamed`: the code of this step has ended the executor. `suspect`: this step or another one beside
   * it. `stopped`: the executor was ended because of another step.
   */
  role: ExecutorEnded['role'];
  ending: Ending;
}

export type StepEnd = AttemptResult | { crash: Crash };

export interface StepCallOptions {
  /** No other step runs in the same executor. */
  alone: boolean;
  /** Fires when the attempt is given up. */
  signal: AbortSignal;
  /** Called when the executor begins the step, with a function that says whether it is blocked. */
  started?: (isBlocked: () => boolean) => void;
}

/** An executor that has had nothing to do for so long is ended, in ms. */
const IDLE_MS = 300_000;
const CHECK_MS = 1_000;
/** When a spare executor could not load the project, no other is started for so long, in ms. */
const SPARE_RETRY_MS = 60_000;
/** How long a step waits for an executor that is blocked and in which its graph is paused, in ms. */
const BLOCKED_PATIENCE_MS = 10_000;
/** Number of threads of which the pool knows in which executor their last step ran. */
const THREADS_KNOWN = 10_000;

/** Starts, feeds and watches the executors of a process. */
export class ExecutorPool {
  readonly #options: PoolOptions;
  readonly #executors = new Set<ExecutorProcess>();
  readonly #homes = new LRUCache<string, ExecutorProcess>({ max: THREADS_KNOWN });
  readonly #running = new Map<string, { giveUp: () => void; ended: Promise<unknown> }>();
  readonly #timer: NodeJS.Timeout;
  /** Executors in which graphs are paused, by the ids of their runs. */
  readonly #paused = new Map<string, { executor: ExecutorProcess; at: number }>();
  #isDraining = false;
  /** No spare executor is started before this time, in ms of `performance.now()`. */
  #sparesFrom = 0;

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#check(), CHECK_MS).unref();
  }

  /**
   * Starts the first executor. It loads all graphs of the project, and later takes the steps of one
   * of them. Resolves with what it reports about the project. Rejects if the project cannot be
   * loaded.
   */
  async open(): Promise<unknown> {
    const executor = this.#start(undefined);
    return executor.ready;
  }

  /**
   * Runs one attempt of a step. Resolves when all code of the attempt has stopped.
   */
  async runStep(task: StepTask, attempt: number, options: StepCallOptions): Promise<StepEnd> {
    const { signal } = options;
    const earlier = this.#running.get(task.runId);
    earlier?.giveUp();
    await earlier?.ended;
    const giveUp = new AbortController();
    const abort = () => giveUp.abort();
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    const ended = this.#runStep(task, attempt, { ...options, signal: giveUp.signal });
    this.#running.set(task.runId, { giveUp: abort, ended: ended.catch(() => undefined) });
    try {
      return await ended;
    } finally {
      signal.removeEventListener('abort', abort);
      if (this.#running.get(task.runId)?.giveUp === abort) this.#running.delete(task.runId);
    }
  }

  /** Calls a handler of an executor of the graph, or of any executor. Not for steps. */
  async call(graphId: string | undefined, name: string, args: unknown[]): Promise<unknown> {
    const executor = this.#freest(graphId) ?? this.#start(graphId);
    await executor.ready;
    return executor.call(name, args).result;
  }

  /** Lets all steps end after their current superstep. */
  drain(): void {
    this.#isDraining = true;
    for (const executor of this.#executors) executor.drain();
  }

  /** Gives new steps to new executors. Steps that are running finish in the old ones. */
  replaceAll(): void {
    for (const executor of this.#executors) this.#retire(executor);
    this.#homes.clear();
    this.#sparesFrom = 0;
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all([...this.#executors].map((executor) => executor.kill()));
  }

  async #runStep(task: StepTask, attempt: number, { alone, signal, started }: StepCallOptions): Promise<StepEnd> {
    const executor = alone ? this.#start(task.graphId, true) : ((await this.#pausedFor(task)) ?? this.#choose(task));
    if (alone) executor.isReserved = true;
    let call: ReturnType<ExecutorProcess['call']> | undefined;
    try {
      const ready = executor.ready.then(() => undefined, failureToLoad);
      const failure = await Promise.race([ready, failureWhenAborted(signal)]);
      if (failure !== undefined) return { failure };
      call = executor.call('runStep', [task, attempt]);
      started?.(() => executor.isBlocked);
      this.#homes.set(task.threadId, executor);
      const stop = this.#stopInTime(executor, call.abort, signal);
      const result = (await call.result.finally(stop.cancel)) as AttemptResult;
      if (result.isPaused && !alone) this.#paused.set(task.runId, { executor, at: performance.now() });
      if (result.isStuck) await this.#end(executor, `run ${task.runId} was given up, and its code goes on`);
      return result;
    } catch (error) {
      if (!(error instanceof ExecutorEnded)) throw error;
      this.#report(executor, task, error);
      // After an uncaught exception the executor still runs. Other steps may leave it first.
      if (!executor.hasEnded) await this.#end(executor, `run ${task.runId} has thrown an exception that nobody caught`);
      return { crash: { role: error.role, ending: error.ending } };
    } finally {
      if (alone) void executor.kill();
    }
  }

  /**
   * When the signal fires, asks the call to end, and ends its executor if the call does not end in
   * time. An executor that is blocked cannot even be asked.
   */
  #stopInTime(executor: ExecutorProcess, abort: () => void, signal: AbortSignal): { cancel: () => void } {
    let timer: NodeJS.Timeout | undefined;
    const onAbort = () => {
      abort();
      // The executor itself waits for the nodes for the grace time, and then answers.
      const late = () => void this.#end(executor, 'a step was given up and does not stop');
      timer = setTimeout(late, this.#options.stopGraceMs + CHECK_MS);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    return {
      cancel: () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      },
    };
  }

  /** Ends an executor. Its other steps get the grace time to reach their next commit. */
  async #end(executor: ExecutorProcess, reason: string): Promise<void> {
    executor.isRetired = true;
    const { logger, stopGraceMs } = this.#options;
    logger.warn(`ending executor ${executor.pid}: ${reason}`, { steps_beside: executor.load });
    executor.drain();
    const deadline = performance.now() + stopGraceMs;
    while (executor.load > 0 && !executor.hasEnded && !executor.isBlocked && performance.now() < deadline) {
      await sleep(50);
    }
    await executor.kill();
  }

  /**
   * Returns the executor in which the graph of the run is paused. If it is blocked, waits some time
   * for it: in another executor, the graph would lose the values that no checkpoint has.
   */
  async #pausedFor({ runId }: StepTask): Promise<ExecutorProcess | undefined> {
    const executor = this.#paused.get(runId)?.executor;
    const deadline = performance.now() + BLOCKED_PATIENCE_MS;
    while (executor?.isBlocked && !executor.hasEnded && performance.now() < deadline) await sleep(50);
    this.#paused.delete(runId);
    return executor === undefined || executor.hasEnded || executor.isBlocked ? undefined : executor;
  }

  /** Returns the executor for the next step of a thread. */
  #choose({ graphId, threadId }: StepTask): ExecutorProcess {
    const home = this.#homes.get(threadId);
    if (home?.graphId === graphId && this.#isUsable(home)) return home;
    const freest = this.#freest(graphId);
    if (freest !== undefined && freest.load < this.#options.stepsPerExecutor) return freest;
    return this.#start(graphId);
  }

  /** Returns the usable executor of a graph with the fewest calls. Without a graph: of any graph. */
  #freest(graphId: string | undefined): ExecutorProcess | undefined {
    const usable = [...this.#executors].filter((executor) => this.#isUsable(executor));
    const own = usable.filter((executor) => graphId === undefined || executor.graphId === graphId);
    if (own.length > 0) return own.reduce((best, one) => (one.load < best.load ? one : best));
    const unused = usable.find((executor) => executor.graphId === undefined);
    if (unused !== undefined) unused.graphId = graphId;
    return unused;
  }

  #isUsable(executor: ExecutorProcess): boolean {
    return !executor.isRetired && !executor.isReserved && !executor.hasEnded && !executor.isBlocked;
  }

  #start(graphId: string | undefined, isForSuspect = false): ExecutorProcess {
    const executor = this.#options.start({ ...(graphId !== undefined && { graphId }), isForSuspect });
    this.#executors.add(executor);
    void executor.exited.then((ending) => {
      this.#executors.delete(executor);
      this.#options.logger.debug(`executor ${executor.pid} has ended: ${describeEnding(ending)}`);
    });
    if (this.#isDraining) executor.drain();
    return executor;
  }

  #retire(executor: ExecutorProcess): void {
    executor.isRetired = true;
    if (!this.#isNeeded(executor)) void executor.kill();
  }

  /** Whether the executor runs something, or has a paused graph. */
  #isNeeded(executor: ExecutorProcess): boolean {
    return executor.load > 0 || [...this.#paused.values()].some((paused) => paused.executor === executor);
  }

  #check(): void {
    const now = performance.now();
    for (const [runId, { at }] of this.#paused) if (now - at > KEPT_MS) this.#paused.delete(runId);
    for (const executor of this.#executors) {
      if (executor.rss > this.#options.replaceAboveBytes && !executor.isRetired) {
        this.#options.logger.warn(`replacing executor ${executor.pid}: it has ${executor.rss} bytes of memory`);
        executor.isRetired = true;
      }
      const isIdle = now - executor.lastUsed > IDLE_MS && executor.graphId !== undefined;
      if (executor.isRetired || (isIdle && !this.#isNeeded(executor))) this.#retire(executor);
    }
    this.#keepSpares(now);
  }

  /**
   * Starts a spare executor if one is missing. It loads all graphs, because nobody knows which graph
   * will need it. Waits while another executor is starting, which is more urgent.
   */
  #keepSpares(now: number): void {
    const usable = [...this.#executors].filter((executor) => this.#isUsable(executor));
    const spares = usable.filter(({ graphId }) => graphId === undefined).length;
    const isStarting = usable.some(({ isReady }) => !isReady);
    if (spares >= this.#options.spares || isStarting || this.#isDraining || now < this.#sparesFrom) return;
    this.#start(undefined).ready.catch(() => (this.#sparesFrom = performance.now() + SPARE_RETRY_MS));
  }

  #report(executor: ExecutorProcess, task: StepTask, { role, ending }: ExecutorEnded): void {
    this.#options.logger.error(`executor ${executor.pid} of graph ${task.graphId}: ${describeEnding(ending)}`, {
      run_id: task.runId,
      thread_id: task.threadId,
      step: task.step,
      role,
    });
  }
}

/** Describes the error of an executor that cannot load its graph. Throws if its process has ended. */
function failureToLoad(cause: unknown): AttemptFailure {
  if (cause instanceof ExecutorEnded) throw cause;
  const { kind, error } = classifyFailure(cause);
  const code = errorCode(cause);
  return { kind, error, ...(code !== undefined && { code }) };
}

/** Resolves when the signal fires: the attempt has not begun, so nothing has to stop. */
function failureWhenAborted(signal: AbortSignal): Promise<AttemptFailure> {
  const failure: AttemptFailure = {
    kind: 'final',
    error: { error: 'AbortError', message: 'the step was given up before it began' },
  };
  return new Promise((resolve) => {
    if (signal.aborted) resolve(failure);
    else signal.addEventListener('abort', () => resolve(failure), { once: true });
  });
}
