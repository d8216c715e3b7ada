import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { LRUCache } from 'lru-cache';
import pLimit from 'p-limit';
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
  /** Time in ms that a step gets to stop after it was given up. */
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
  /** Whether the executor ended while it loaded the graph, so that no node of the step has run. */
  isLoading: boolean;
  ending: Ending;
}

export type StepEnd = AttemptResult | { crash: Crash };

export interface StepCallOptions {
  /** No other step runs in the same executor. */
  alone: boolean;
  /** Fires when the attempt is given up. */
  signal: AbortSignal;
  /**
   * Whether the run has ended when its attempt is given up. Then nobody waits until the code of the
   * attempt has really stopped: it cannot commit any more.
   */
  isLast?: () => boolean;
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
/**
 * How long the other steps of an executor that is to end go on as if nothing were wrong, in ms. Then
 * they end after their current superstep, and continue in another executor.
 */
const UNDISTURBED_MS = 30_000;
/** An executor that does not answer for so long, in ms, gets no new step as long as it is silent. */
const ANSWER_MS = 1_000;
/** Number of threads of which the pool knows in which executor their last step ran. */
const THREADS_KNOWN = 10_000;

/** Starts, feeds and watches the executors of a process. */
export class ExecutorPool {
  readonly #options: PoolOptions;
  readonly #executors = new Set<ExecutorProcess>();
  readonly #homes = new LRUCache<string, ExecutorProcess>({ max: THREADS_KNOWN });
  readonly #running = new Map<string, { giveUp: () => void; stopped: Promise<unknown> }>();
  readonly #ending = new Map<ExecutorProcess, Promise<void>>();
  readonly #timer: NodeJS.Timeout;
  /** Executors in which graphs are paused, by the ids of their runs. */
  readonly #paused = new Map<string, { executor: ExecutorProcess; at: number }>();
  readonly #loadingAlone = pLimit(availableParallelism());
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
   * Runs one attempt of a step. Resolves when all code of the attempt has stopped, unless the run has
   * ended with it.
   */
  async runStep(task: StepTask, attempt: number, options: StepCallOptions): Promise<StepEnd> {
    const { signal } = options;
    const earlier = this.#running.get(task.runId);
    earlier?.giveUp();
    await earlier?.stopped;
    const giveUp = new AbortController();
    const abort = () => giveUp.abort();
    signal.addEventListener('abort', abort, { once: true });
    if (signal.aborted) abort();
    const { end, stopped } = this.#execute(task, attempt, { ...options, signal: giveUp.signal });
    const running = { giveUp: abort, stopped };
    this.#running.set(task.runId, running);
    void stopped.then(() => {
      if (this.#running.get(task.runId) === running) this.#running.delete(task.runId);
    });
    try {
      const result = await end;
      if (!giveUp.signal.aborted || !options.isLast?.()) await stopped;
      return result;
    } finally {
      signal.removeEventListener('abort', abort);
    }
  }

  /** `stopped` resolves when all code of the attempt has stopped. It never rejects. */
  #execute(task: StepTask, attempt: number, options: StepCallOptions) {
    const remains: Promise<void>[] = [];
    const end = this.#runStep(task, attempt, options, (ending) => remains.push(ending));
    const stopped = end.then(
      () => Promise.all(remains),
      () => Promise.all(remains),
    );
    return { end, stopped };
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

  /** Calls `remains` with the end of an executor in which code of the attempt may still be running. */
  async #runStep(
    task: StepTask,
    attempt: number,
    { alone, signal, started }: StepCallOptions,
    remains: (ending: Promise<void>) => void,
  ): Promise<StepEnd> {
    const executor = alone
      ? await this.#startAlone(task)
      : ((await this.#pausedFor(task)) ?? (await this.#answering(task)));
    let call: ReturnType<ExecutorProcess['call']> | undefined;
    try {
      const ready = executor.ready.then(() => undefined, failureToLoad);
      const failure = await Promise.race([ready, failureWhenAborted(signal)]);
      if (failure !== undefined) return { failure };
      call = executor.call('runStep', [task, attempt]);
      started?.(() => executor.isBlocked);
      this.#homes.set(task.threadId, executor);
      const stop = this.#stopInTime(executor, call.abort, signal);
      const result = await Promise.race([call.result as Promise<AttemptResult>, stop.late]).finally(stop.cancel);
      if (result.isPaused && !alone) this.#paused.set(task.runId, { executor, at: performance.now() });
      if (result.isStuck) remains(this.#end(executor, `run ${task.runId} was given up, and its code goes on`));
      return result;
    } catch (error) {
      if (!(error instanceof ExecutorEnded)) throw error;
      this.#report(executor, task, error);
      // After an uncaught exception the executor still runs. Other steps may leave it first.
      if (!executor.hasEnded)
        remains(this.#end(executor, `run ${task.runId} has thrown an exception that nobody caught`));
      const isLoading = call === undefined;
      // Several steps may have waited for this executor. None has begun, so none is to blame.
      const role = isLoading && !alone && error.role === 'blamed' ? 'suspect' : error.role;
      return { crash: { role, isLoading, ending: error.ending } };
    } finally {
      if (alone) void executor.kill();
    }
  }

  /**
   * When the signal fires, asks the call to end. `late` resolves if the call has not ended in time. An
   * executor that is blocked cannot even be asked.
   */
  #stopInTime(executor: ExecutorProcess, abort: () => void, signal: AbortSignal) {
    let timer: NodeJS.Timeout | undefined;
    let onAbort = () => {};
    const late = new Promise<AttemptResult>((resolve) => {
      onAbort = () => {
        abort();
        // The executor itself waits for the nodes for the grace time, and then answers.
        timer = setTimeout(() => resolve(unstoppable()), this.#options.stopGraceMs + CHECK_MS);
      };
    });
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
    const cancel = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    };
    return { late, cancel };
  }

  /**
   * Ends an executor when the steps beside the one that is to blame have left it. They go on, because
   * no agent may hurt another. But if the executor is blocked, they could not go on either.
   */
  #end(executor: ExecutorProcess, reason: string): Promise<void> {
    const known = this.#ending.get(executor);
    if (known !== undefined) return known;
    executor.isRetired = true;
    this.#options.logger.warn(`ending executor ${executor.pid}: ${reason}`, { steps_beside: executor.wantedLoad });
    const ending = this.#endWhenLeft(executor).finally(() => this.#ending.delete(executor));
    this.#ending.set(executor, ending);
    return ending;
  }

  async #endWhenLeft(executor: ExecutorProcess): Promise<void> {
    const timer = setTimeout(() => {
      executor.drain();
      for (const [runId, paused] of this.#paused) if (paused.executor === executor) this.#paused.delete(runId);
    }, UNDISTURBED_MS);
    while (!executor.hasEnded && !executor.isBlocked && this.#isWanted(executor)) await sleep(50);
    clearTimeout(timer);
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

  /**
   * Starts an executor for one step alone. After a crash of many runs there are many suspects, so only
   * as many of their executors load at once as there are processors.
   */
  #startAlone({ graphId }: StepTask): Promise<ExecutorProcess> {
    return this.#loadingAlone(async () => {
      const executor = this.#start(graphId, true);
      executor.isReserved = true;
      await executor.ready.catch(() => undefined);
      return executor;
    });
  }

  /** Returns an executor for the next step of a thread that is not blocked, as far as one can know. */
  async #answering(task: StepTask): Promise<ExecutorProcess> {
    let silent: ExecutorProcess | undefined;
    for (;;) {
      const executor = this.#choose(task);
      if (silent !== undefined && !executor.isReady) {
        // The start of a process takes long on a busy machine, and the silent one may only be slow.
        await Promise.race([executor.ready.catch(() => undefined), silent.answered]);
        if (this.#isUsable(silent)) return silent;
        return executor;
      }
      if (await executor.answers(ANSWER_MS)) return executor;
      silent = executor;
    }
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
    const { isRetired, isReserved, hasEnded, isBlocked, isSilent } = executor;
    return !isRetired && !isReserved && !hasEnded && !isBlocked && !isSilent;
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
    if (executor.load === 0 && !this.#isWanted(executor)) void executor.kill();
  }

  /** Whether the executor runs something that was not given up, or has a paused graph. */
  #isWanted(executor: ExecutorProcess): boolean {
    return executor.wantedLoad > 0 || [...this.#paused.values()].some((paused) => paused.executor === executor);
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
      const isLeft = executor.load === 0 && !this.#isWanted(executor);
      if (executor.isRetired || (isIdle && isLeft)) this.#retire(executor);
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

/** The result of an attempt that was given up and has not even answered. */
function unstoppable(): AttemptResult {
  const error = { error: 'AbortError', message: 'the step was given up, and does not stop' };
  return { failure: { kind: 'final', error }, isStuck: true };
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
