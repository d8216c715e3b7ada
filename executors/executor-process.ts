import { spawn, type ChildProcess } from 'node:child_process';
import { setPriority } from 'node:os';
import type { Duplex } from 'node:stream';
import { Channel } from './channel.js';
import type { FromExecutor, ToExecutor } from './messages.js';
import { fromPlainError } from './plain-error.js';
import { StderrTail } from './stderr-tail.js';

const PING_MS = 1_000;
/** If a ping is so late, in ms, this process was blocked itself. */
const LATE_MS = 500;
/** An executor that has not answered a ping for so long is blocked, in ms. */
const BLOCKED_MS = 2_500;
/** An executor that has sent a message within this time is not asked whether it answers, in ms. */
const SPOKE_MS = 50;
/** How long the last output of an executor that has exited is awaited, in ms. */
const LAST_OUTPUT_MS = 500;
/** How long an executor without a channel may take to exit by itself, in ms. */
const CLOSED_MS = 1_000;
/** An executor that has not loaded its graphs after this time is ended, in ms. */
const START_MS = 300_000;
/** File descriptor of the channel in the child process. */
export const CHANNEL_FD = 3;

export interface ExecutorStart {
  /** Path of the program. */
  program: string;
  /** Options of Node.js. */
  nodeOptions: string[];
  config: unknown;
  graphId?: string;
  /**
   * Time in ms that a call gets to end after its code has thrown an exception that nobody has caught.
   */
  graceMs: number;
  /** Priority of the process, in the units of `os.setPriority`. Default: that of this process. */
  priority?: number;
}

/** How an executor has ended. */
export interface Ending {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The last lines that it has written to stderr. */
  stderr: string;
}

/** Thrown by a call whose executor has ended before it answered. */
export class ExecutorEnded extends Error {
  override readonly name = 'ExecutorEnded';

  constructor(
    readonly ending: Ending,
    /**
     * `blamed`: the call was alone in the executor, or its code has thrown the exception that nobody
     * caught. `suspect`: other calls ran beside it. `stopped`: the executor was killed for another
     * reason than this call.
     */
    readonly role: 'blamed' | 'suspect' | 'stopped',
  ) {
    super(`the executor has ended: ${describeEnding(ending)}`);
  }
}

interface Call {
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

/** A child process that runs user code, as the process sees it that has started it. */
export class ExecutorProcess {
  /** Resolves with the data of the message `ready`. Rejects if the executor cannot start. */
  readonly ready: Promise<unknown>;
  readonly exited: Promise<Ending>;
  graphId: string | undefined;
  /** Whether the executor has loaded its graphs. */
  isReady = false;
  /** True if the executor gets no new calls, because it is about to end. */
  isRetired = false;
  /** True if the executor is for one step alone. */
  isReserved = false;
  /** Resident memory of the executor when it last answered a ping, in bytes. */
  rss = 0;
  /** True if the executor has not answered for a short time. It may be blocked, or only slow. */
  isSilent = false;
  /** Time of the last call, in ms of `performance.now()`. */
  lastUsed = performance.now();
  /**
   * Called after an exception that nobody has caught, with the id of the call whose code has thrown it.
   * The call may have ended already.
   */
  onUncaught?: (id: number) => void;
  readonly #child: ChildProcess;
  readonly #channel: Channel<ToExecutor, FromExecutor>;
  readonly #calls = new Map<number, Call>();
  /** Calls that were asked to end early. */
  readonly #givenUp = new Set<number>();
  readonly #stderr: StderrTail;
  readonly #graceMs: number;
  /** Calls whose code has thrown an exception that nobody has caught. */
  readonly #doubted = new Set<number>();
  /** An answer that is awaited. */
  #answer: { promise: Promise<true>; resolve: () => void } | undefined;
  #lastId = 0;
  #lastPong = performance.now();
  #wasKilled = false;

  constructor({ program, nodeOptions, config, graphId, graceMs, priority }: ExecutorStart) {
    this.#graceMs = graceMs;
    this.graphId = graphId;
    this.#child = spawn(process.execPath, [...nodeOptions, program], {
      // The executor leads a process group, so that it can be ended with its child processes.
      detached: true,
      stdio: ['ignore', 'inherit', 'pipe', 'pipe'],
    });
    // At once, because Linux gives a priority to a thread, and the threads that it starts inherit it.
    if (priority !== undefined) lower(this.#child.pid, priority);
    this.#stderr = new StderrTail(this.#child.stderr);
    let settle = { resolve: (_ready: unknown) => {}, reject: (_error: Error) => {} };
    this.ready = new Promise((resolve, reject) => (settle = { resolve, reject }));
    this.ready.catch(() => undefined);
    this.exited = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve({ code: null, signal: null, stderr: error.message }));
      this.#child.once('exit', (code, signal) => {
        // Ends child processes of nodes that are left in the process group. One that has left the
        // group may keep stderr open.
        this.#signal();
        const end = () => resolve({ code, signal, stderr: this.#stderr.text });
        this.#child.once('close', end);
        setTimeout(end, LAST_OUTPUT_MS);
      });
    });
    this.#channel = new Channel(
      this.#child.stdio[CHANNEL_FD] as unknown as Duplex,
      (message) => this.#receive(message, settle),
      () => this.#endSoon(),
    );
    const start = setTimeout(() => this.#signal(), START_MS);
    const started = () => clearTimeout(start);
    this.ready.then(started, started);
    let lastPing = performance.now();
    const pings = setInterval(() => {
      const now = performance.now();
      // This process was blocked itself, so it could not read what the executor has sent.
      if (now - lastPing > PING_MS + LATE_MS) this.#lastPong = now;
      lastPing = now;
      this.#channel.send({ ping: now });
    }, PING_MS);
    void this.exited.then((ending) => {
      clearInterval(pings);
      settle.reject(new ExecutorEnded(ending, 'blamed'));
      this.#endCalls(ending);
    });
    this.#channel.send({ start: { config, ...(graphId !== undefined && { graphId }) } });
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Number of calls that are running. */
  get load(): number {
    return this.#calls.size;
  }

  /** Number of calls that are running and were not asked to end early. */
  get wantedLoad(): number {
    return [...this.#calls.keys()].filter((id) => !this.#givenUp.has(id)).length;
  }

  /** Whether the executor does not answer, because its code does not return to the event loop. */
  get isBlocked(): boolean {
    return this.isReady && performance.now() - this.#lastPong > BLOCKED_MS;
  }

  get hasEnded(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Calls a handler in the executor. The returned `abort` asks the call to end early. */
  call(name: string, args: unknown[]): { id: number; result: Promise<unknown>; abort: () => void } {
    const id = (this.#lastId += 1);
    this.lastUsed = performance.now();
    const result = new Promise<unknown>((resolve, reject) => this.#calls.set(id, { resolve, reject }));
    this.#channel.send({ id, call: name, args });
    return { id, result, abort: () => this.#abort(id) };
  }

  /** Resolves when the executor has answered the question that {@link answers} has asked. */
  get answered(): Promise<unknown> {
    return this.#answer?.promise ?? Promise.resolve();
  }

  /**
   * Resolves to true if the executor answers within this time, in ms, and to false otherwise. An
   * executor that has spoken a moment ago, or is still starting, is not asked.
   */
  async answers(withinMs: number): Promise<boolean> {
    if (!this.isReady || performance.now() - this.#lastPong < SPOKE_MS) return true;
    const answer = (this.#answer ??= this.#ask());
    let timer: NodeJS.Timeout | undefined;
    const silence = new Promise<false>((resolve) => {
      // If this process was blocked itself, the timer fires before a waiting answer is read.
      timer = setTimeout(() => setImmediate(() => setImmediate(resolve, false)), withinMs);
    });
    const isAnswering = await Promise.race([answer.promise, silence]);
    clearTimeout(timer);
    this.isSilent = !isAnswering;
    return isAnswering;
  }

  /** Asks all steps to end after their current superstep. */
  drain(): void {
    this.#channel.send({ drain: true });
  }

  /** Ends the executor and its child processes now. Resolves when it has ended. */
  async kill(): Promise<void> {
    this.isRetired = true;
    this.#wasKilled = true;
    this.#signal();
    await this.exited;
  }

  /**
   * Ends an executor whose channel is closed. Normally it is about to exit, and its exit code is worth
   * knowing. But its code may also have closed the channel, and then it is of no use any more.
   */
  #endSoon(): void {
    const timer = setTimeout(() => this.#signal(), CLOSED_MS);
    void this.exited.then(() => clearTimeout(timer));
  }

  #signal(): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // The group has ended already.
    }
  }

  #ask(): { promise: Promise<true>; resolve: () => void } {
    let resolve = () => {};
    const promise = new Promise<true>((done) => (resolve = () => done(true)));
    this.#channel.send({ ping: performance.now() });
    return { promise, resolve };
  }

  #abort(id: number): void {
    if (!this.#calls.has(id)) return;
    this.#givenUp.add(id);
    this.#channel.send({ abort: id });
  }

  #receive(message: FromExecutor, settle: { resolve: (ready: unknown) => void; reject: (error: Error) => void }): void {
    this.#lastPong = performance.now();
    this.isSilent = false;
    this.#answer?.resolve();
    this.#answer = undefined;
    if ('pong' in message) this.rss = message.rss;
    else if ('ready' in message) {
      this.isReady = true;
      settle.resolve(message.ready);
    } else if ('failedToStart' in message) {
      settle.reject(fromPlainError(message.failedToStart));
      // The reason may be gone when the next executor is started.
      void this.kill();
    } else if ('uncaught' in message) this.#uncaught(message);
    else this.#settle(message);
  }

  #settle(message: { id: number; value: unknown } | { id: number; error: Parameters<typeof fromPlainError>[0] }): void {
    const call = this.#calls.get(message.id);
    this.#forget(message.id);
    this.lastUsed = performance.now();
    if ('error' in message) call?.reject(fromPlainError(message.error));
    else call?.resolve(message.value);
  }

  /**
   * Handles an exception that nobody has caught. After it the state of the executor is unknown, so
   * it gets no new calls. The call whose code has thrown it may still end as if nothing had happened,
   * as on LangGraph's own server. But it may also wait for something that can no longer come. So
   * after the grace time it counts as crashed. If it is unknown whose code has thrown the exception,
   * such as that of a timer of a module, nobody is blamed, and nothing changes.
   */
  #uncaught({ uncaught, id }: { uncaught: string; id?: number }): void {
    if (id === undefined) return;
    this.isRetired = true;
    this.onUncaught?.(id);
    if (!this.#calls.has(id) || this.#doubted.has(id)) return;
    this.#doubted.add(id);
    const timer = setTimeout(() => this.#giveUp(id, uncaught), this.#graceMs);
    void this.exited.then(() => clearTimeout(timer));
  }

  #giveUp(id: number, uncaught: string): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    this.#forget(id);
    call.reject(new ExecutorEnded({ code: 1, signal: null, stderr: uncaught }, 'blamed'));
    this.#channel.send({ abort: id });
  }

  #forget(id: number): void {
    this.#calls.delete(id);
    this.#givenUp.delete(id);
  }

  #endCalls(ending: Ending): void {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    const role = this.#wasKilled ? 'stopped' : calls.length === 1 ? 'blamed' : 'suspect';
    for (const call of calls) call.reject(new ExecutorEnded(ending, role));
  }
}

function lower(pid: number | undefined, priority: number): void {
  if (pid === undefined) return;
  try {
    setPriority(pid, priority);
  } catch {
    // The process has ended already, or the system does not allow it.
  }
}

/** Returns `exit code 1` or `signal SIGKILL`. */
export function describeEnding({ code, signal }: Pick<Ending, 'code' | 'signal'>): string {
  return signal === null ? `exit code ${code}` : `signal ${signal}`;
}
