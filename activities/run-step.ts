import { createHash } from 'node:crypto';
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import { describeEnding, type AttemptFailure, type Crash } from '../executors/index.js';
import {
  ColloquyError,
  encodeFence,
  firstOf,
  ifFound,
  type Caller,
  type Fence,
  type Head,
  type StepOptions,
} from '../protocol/index.js';
import { describeError, type StepFailure } from '../steps/index.js';
import type { StepOutcome, StepTask } from '../workflows/contract.js';
import { workerCaller, type ActivityDependencies } from './deps.js';
import { fenceFailure, infrastructureFailure, isRetried, stepFailure } from './failures.js';
import { Heartbeats } from './heartbeats.js';

/** The longest delay of a timer in Node.js, in ms. With a longer delay, the timer fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/**
 * Number of times that one superstep of a run may crash its process. The run then ends in `error`.
 */
const MAX_CRASHES = 3;
/** Interval at which a step that has exceeded its limit is looked at again, in ms. */
const CHECK_MS = 500;
/** Delay before a step is tried again that has not failed itself, in ms. */
const AGAIN_MS = 50;

/**
 * Returns the activity that runs one step of a run. The step runs in an executor, which is another
 * process, so this process can send its heartbeats whatever the code of the graph does.
 */
export function createRunStep(dependencies: ActivityDependencies) {
  const heartbeats = new Heartbeats();
  return async (task: StepTask): Promise<StepOutcome> => {
    const context = Context.current();
    const stopBeating = heartbeats.start(context);
    try {
      return await new StepActivity(dependencies, task, context).execute();
    } finally {
      stopBeating();
    }
  };
}

class StepActivity {
  readonly #caller: Caller;
  readonly #fence: Fence;
  readonly #attempt: number;
  readonly #timeout = new AbortController();
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly dependencies: ActivityDependencies,
    private readonly task: StepTask,
    private readonly context: Context,
  ) {
    this.#caller = workerCaller(task.tenant);
    this.#attempt = context.info.attempt;
    this.#fence = encodeFence({ run: task.ordinal, step: task.step, attempt: this.#attempt });
  }

  async execute(): Promise<StepOutcome> {
    const { signal, release } = firstOf(this.context.cancellationSignal, this.#timeout.signal);
    try {
      const alone = this.#attempt > 1 && (await this.#isSuspect());
      const end = await this.dependencies.executors.runStep(this.task, this.#attempt, {
        alone,
        signal,
        // A run that was cancelled gets no later attempt.
        isLast: () => this.context.cancellationDetails?.cancelRequested === true,
        started: (isBlocked) => this.#watchLimit(isBlocked),
      });
      if ('outcome' in end && end.outcome !== undefined) return end.outcome;
      this.#throwIfStopped();
      if ('crash' in end) throw await this.#crashed(end.crash);
      throw await this.#failed(end.failure);
    } catch (error) {
      if (error instanceof ApplicationFailure || error instanceof CancelledFailure) throw error;
      throw infrastructureFailure(error, describeError(error));
    } finally {
      clearTimeout(this.#timer);
      release();
    }
  }

  /**
   * Gives the attempt up if it takes longer than the limit of its nodes and its process is blocked. A
   * process that is not blocked enforces the limit of each node itself.
   */
  #watchLimit(isBlocked: () => boolean): void {
    const limitMs = this.task.options.startToCloseTimeoutMs;
    if (limitMs === undefined) return;
    const check = () => {
      if (isBlocked()) this.#timeout.abort(new DOMException('the step takes too long', 'TimeoutError'));
      else this.#timer = setTimeout(check, CHECK_MS);
    };
    this.#timer = setTimeout(check, Math.min(limitMs, LONGEST_TIMER_MS));
  }

  /** Returns whether the run was executing when its process crashed. It then runs alone. */
  async #isSuspect(): Promise<boolean> {
    const { threadId, runId } = this.task;
    const run = this.dependencies.threads.getRun(this.#caller, threadId, runId, { admittedOnly: false });
    // The step of a run without a record is skipped.
    return (await ifFound(run))?.isSuspect === true;
  }

  /** Throws if the attempt was given up, so that its result does not count. */
  #throwIfStopped(): void {
    if (!this.context.cancellationSignal.aborted) return;
    const { threadId, runId, step } = this.task;
    // Temporal's cancellation signal is also aborted when the worker stops or when the attempt
    // times out. In both cases a later attempt continues the run.
    if (this.context.cancellationDetails?.cancelRequested) {
      throw new CancelledFailure(`run ${runId} of thread ${threadId} was cancelled`);
    }
    throw ApplicationFailure.create({
      type: 'worker_stopped',
      message: `the worker stopped during step ${step} of run ${runId}`,
    });
  }

  /** Returns the failure for the error with which the attempt has ended. */
  async #failed(reported: AttemptFailure | undefined): Promise<Error> {
    const { options, threadId } = this.task;
    if (reported === undefined) return new ColloquyError('internal', 'an executor gave no result');
    const cause = causeOf(reported);
    const failure: StepFailure = this.#timeout.signal.aborted ? this.#timedOut(cause) : { ...reported, cause };
    if (reported.code === 'fence_lost') {
      return fenceFailure(this.dependencies.heads, this.#caller, threadId, this.#fence, cause, failure.error);
    }
    if (failure.kind === 'infrastructure') return infrastructureFailure(cause, failure.error);
    return this.#stepFailure(failure, options, isRetried(failure, options) ? await this.#count('') : 1);
  }

  /**
   * Returns the failure of a step whose executor has ended. A step that is to blame is tried again
   * some times. A step that may be innocent is always tried again.
   */
  async #crashed({ role, isLoading, ending }: Crash): Promise<Error> {
    const { threadId, runId, step, graphId, options } = this.task;
    if (this.#timeout.signal.aborted) {
      const failure = this.#timedOut(undefined);
      return this.#stepFailure(failure, options, await this.#count(''));
    }
    const what = `the process that ran step ${step} of run ${runId} (graph ${graphId}) has ended: ${describeEnding(ending)}`;
    if (role === 'stopped') {
      const message = `${what}; it was ended because of another run`;
      return ApplicationFailure.create({ type: 'executor_stopped', message, nextRetryDelay: AGAIN_MS });
    }
    await this.dependencies.threads.markSuspect(this.#caller, threadId, runId, this.#fence);
    if (role === 'suspect') {
      const message = `${what}; it also ran other runs, so each of them is tried again alone`;
      return ApplicationFailure.create({ type: 'executor_ended', message, nextRetryDelay: AGAIN_MS });
    }
    const error = { error: 'process_crashed', message: `${what}${lastLines(ending.stderr)}` };
    // The end of a process that was loading says less about the run, so it counts separately.
    const crashes = await this.#count(isLoading ? 'load-' : 'crash-');
    const failure: StepFailure = { kind: 'transient', error, cause: undefined };
    return this.#stepFailure(failure, { ...options, maximumAttempts: MAX_CRASHES }, crashes);
  }

  /**
   * Counts one more failed attempt of the superstep that is due, and returns the count. One
   * activity may run several supersteps. They are counted separately, so that the failures of one
   * superstep do not use up the attempts of the next. Crashes have a count of their own.
   */
  async #count(prefix: string): Promise<number> {
    const { threadId, runId } = this.task;
    const superstep = prefix + superstepOf(await this.dependencies.heads.readHead(this.#caller, threadId));
    return this.dependencies.threads.countFailure(this.#caller, threadId, runId, { superstep, fence: this.#fence });
  }

  /** Returns the failure for Temporal. Keeps the whole error in the run's record if it is cut. */
  #stepFailure(failure: StepFailure, options: StepOptions, failures: number): Promise<Error> {
    const { threadId, runId } = this.task;
    return stepFailure(failure, options, failures, (kept) =>
      this.dependencies.threads.keepError(this.#caller, threadId, runId, { ...kept, fence: this.#fence }),
    );
  }

  #timedOut(cause: unknown): StepFailure {
    const message = `the step took longer than its timeout of ${this.task.options.startToCloseTimeoutMs} ms`;
    return { kind: 'transient', error: { error: 'TimeoutError', message }, cause };
  }
}

/** Returns an error that Temporal's Web UI shows as the cause of the failure. */
function causeOf({ error, code, stack }: AttemptFailure): Error {
  const cause = code === undefined ? new Error(error.message) : new ColloquyError(code, error.message);
  if (stack !== undefined) cause.stack = stack;
  return cause;
}

function lastLines(stderr: string): string {
  return stderr === '' ? '' : `; the last lines of its standard error:\n${stderr}`;
}

/**
 * Returns a name for the superstep that is due: a hash of the newest checkpoints of all namespaces.
 * Each new checkpoint changes the hash.
 */
function superstepOf({ heads }: Head): string {
  const checkpoints = Object.entries(heads).map(([ns, { checkpointId }]) => [ns, checkpointId]);
  return createHash('sha256').update(JSON.stringify(checkpoints.sort())).digest('base64url');
}
