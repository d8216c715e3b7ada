import { createHash } from 'node:crypto';
import { ApplicationFailure, CancelledFailure, Context } from '@temporalio/activity';
import { LRUCache } from 'lru-cache';
import {
  CONTROL_EVENTS,
  encodeFence,
  errorCode,
  firstOf,
  isEnded,
  type AttemptData,
  type Caller,
  type Cursor,
  type EndedRunStatus,
  type Fence,
  type Head,
  type Run,
  type RunError,
  type StoredEvent,
  ifFound,
} from '../protocol/index.js';
import {
  classifyFailure,
  describeError,
  describeThread,
  runStep as runGraphStep,
  uncommittedRanges,
  writtenMessageIds,
  type StepFailure,
  type StepReport,
} from '../steps/index.js';
import type { RunLog } from '../streams/index.js';
import type { Injection } from '../threads/index.js';
import type { StepOutcome, StepTask } from '../workflows/contract.js';
import { workerCaller, type ActivityDependencies } from './deps.js';
import { endRunRecords, appendEnd } from './end-run.js';
import { keepWebhook } from './webhook.js';
import { appendFeedback } from './feedback.js';
import { Heartbeats } from './heartbeats.js';
import { fenceFailure, infrastructureFailure, isRetried, stepFailure } from './failures.js';

const READ_BATCH = 1_000;
const REQUESTS_KEPT = 1_000;
/**
 * A step stops itself after this share of its start-to-close timeout, before Temporal ends the
 * attempt.
 */
const TIMEOUT_SHARE = 0.95;
/** The longest delay of a timer in Node.js, in ms. With a longer delay, the timer fires at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Returns the activity that runs one step of a run. Idempotent by its fence. A later attempt has a
 * higher fence, so an earlier attempt that still works cannot commit any more. The later attempt
 * continues after the last committed superstep.
 */
export function createRunStep(dependencies: ActivityDependencies) {
  const runs = new LRUCache<string, Run>({ max: REQUESTS_KEPT });
  const heartbeats = new Heartbeats();
  return async (task: StepTask): Promise<StepOutcome> => {
    const context = Context.current();
    const stopBeating = heartbeats.start(context);
    const timeout = new AbortController();
    const timeoutMs = Math.min(task.options.startToCloseTimeoutMs * TIMEOUT_SHARE, LONGEST_TIMER_MS);
    const late = () => timeout.abort(new DOMException('the step takes too long', 'TimeoutError'));
    const timer = setTimeout(late, timeoutMs).unref();
    const { signal: stop, release } = firstOf(context.cancellationSignal, timeout.signal);
    try {
      return await new StepActivity(dependencies, runs, task, context.info.attempt, stop, timeout.signal).execute();
    } finally {
      clearTimeout(timer);
      release();
      stopBeating();
    }
  };
}

class StepActivity {
  readonly #fence: Fence;
  /**
   * The caller of all reads and writes. Until the run's record is read, the worker acts for itself.
   * Then it acts on behalf of the run's creator.
   */
  #caller: Caller;
  #writtenMessageIds: ReadonlySet<string> | undefined;

  constructor(
    private readonly dependencies: ActivityDependencies,
    private readonly runs: LRUCache<string, Run>,
    private readonly task: StepTask,
    private readonly attempt: number,
    /**
     * Aborted when Temporal cancels the activity, when the worker stops, or when `timeout` is
     * aborted.
     */
    private readonly stop: AbortSignal,
    private readonly timeout: AbortSignal,
  ) {
    this.#fence = encodeFence({ run: task.ordinal, step: task.step, attempt });
    this.#caller = workerCaller(task.tenant);
  }

  async execute(): Promise<StepOutcome> {
    let log: RunLog | undefined;
    try {
      const { threadId, injections = [] } = this.task;
      const [run, cursor, { waiting, taken }] = await Promise.all([
        this.#run(),
        this.#cursor(),
        this.dependencies.injections.readInjections(this.#caller, threadId, injections),
      ]);
      if (run === undefined) return { status: 'skipped', nodes: [], next: [], cursor };
      this.#caller = workerCaller(this.task.tenant, run.createdBy);
      if (isEnded(run.status)) return withTaken(await this.#ended(run, cursor), taken);
      const started = this.#start(run, cursor.tail);
      // A first attempt awaits `started` only after `#step`. If `started` rejects before that,
      // Node.js must not count the rejection as unhandled, because that would end the process.
      started.catch(() => undefined);
      // `#start` stores in the run's record the offset after which the run's events begin. Readers
      // begin at this offset. So before the log writes its first event, it waits for the promise
      // `started`.
      const { runId } = this.task;
      const scope = { threadId, runId, fence: this.#fence, tail: cursor.tail, after: started };
      log = this.dependencies.events.open(this.#caller, scope);
      if (this.attempt > 1) {
        // An earlier attempt may have ended the run after this attempt read the run's record. When
        // the promise `started` has resolved, no earlier attempt can end the run any more, because
        // its fence is lower.
        if (!(await started)) return withTaken(await this.#endedMeanwhile(run, cursor), taken);
        // Writes the offsets of superseded events (of earlier attempts that died before their
        // commit) before this attempt writes any other event.
        await this.#supersede(run, cursor, log);
      }
      const report = await this.#step(run, cursor, waiting, log).catch((error: unknown) => this.#fail(error));
      await started;
      return withTaken(await this.#finish(run, report, log), [...taken, ...report.injected]);
    } catch (error) {
      if (error instanceof ApplicationFailure || error instanceof CancelledFailure) throw error;
      if (errorCode(error) === 'fence_lost') throw await this.#fenceFailure(error);
      throw infrastructureFailure(error, describeError(error));
    } finally {
      await log?.close().catch(() => undefined);
    }
  }

  /**
   * Returns the run, or undefined if its record was deleted. A run's request never changes. Later
   * steps on this worker therefore use the cached record.
   */
  async #run(): Promise<Run | undefined> {
    const { runId, threadId, step } = this.task;
    const known = this.runs.get(runId);
    if (known !== undefined && step > 1 && this.attempt === 1) return known;
    const run = await ifFound(this.dependencies.threads.getRun(this.#caller, threadId, runId, { admittedOnly: false }));
    if (run === undefined) return undefined;
    this.runs.set(runId, run);
    return run;
  }

  /**
   * Handles a run that has ended already. In a first attempt, or if the run has neither succeeded
   * nor been interrupted, the result is `skipped`. Otherwise an earlier attempt may have ended the
   * run and died before Temporal got the result. So this method writes the records and events that
   * are missing.
   */
  async #ended(run: Run, cursor: Cursor): Promise<StepOutcome> {
    const { events, project, savers, showsQuestions, threads } = this.dependencies;
    const { status } = run;
    if (this.attempt === 1 || (status !== 'success' && status !== 'interrupted')) {
      return { status: 'skipped', nodes: [], next: [], cursor };
    }
    const { threadId, runId } = this.task;
    const saver = await savers.openReader(this.#caller, threadId);
    const { next, questions, interrupts } = await describeThread(
      await project.load(run.graphId, run.request.config),
      saver,
      threadId,
      { showsQuestions },
    );
    // The earlier attempt may have died after it marked the run's record as ended and before it
    // updated the record of the thread.
    const threadStatus = status === 'success' ? 'idle' : 'interrupted';
    await threads.endRun(this.#caller, threadId, { runId, fence: this.#fence, status, threadStatus, interrupts });
    let tail = await events.tail(this.#caller, threadId);
    const [last] = await events.read(this.#caller, threadId, {
      afterSeq: Math.max(0, tail - 1),
      limit: 1,
      bare: true,
    });
    if (last?.event !== CONTROL_EVENTS.ended || last.runId !== runId) {
      const log = events.open(this.#caller, { threadId, runId, fence: this.#fence, tail });
      tail = await appendEnd(log, { run_id: runId, status }).finally(() => log.close());
    }
    return { status, nodes: [], next, interrupts: questions, cursor: { ...cursor, tail } };
  }

  /**
   * Handles a run that an earlier attempt has ended after this attempt read the run's record. The
   * earlier attempt was still working. Reads the record again.
   */
  async #endedMeanwhile({ threadId, runId }: Run, cursor: Cursor): Promise<StepOutcome> {
    const run = await this.dependencies.threads.getRun(this.#caller, threadId, runId, { admittedOnly: false });
    return this.#ended(run, cursor);
  }

  /**
   * Returns the cursor of the thread: its head, and its tail (the offset of its last event). A
   * first attempt uses the cursor of the previous step, and reads from the database only what may
   * have changed since then. A later attempt reads both, and raises the thread's fence.
   */
  async #cursor(): Promise<Cursor> {
    const { threadId, step, cursor } = this.task;
    const { heads, events } = this.dependencies;
    const known = this.attempt === 1 ? cursor : undefined;
    if (known !== undefined && step > 1) return known;
    // The first step of a run reads the head again, because an edit of the state can move the head
    // between two runs.
    const [head, tail] = await Promise.all([
      this.attempt > 1 ? heads.raiseFence(this.#caller, threadId, this.#fence) : heads.readHead(this.#caller, threadId),
      known?.tail ?? events.tail(this.#caller, threadId),
    ]);
    return { head, tail };
  }

  /**
   * Marks the run as running, and stores this attempt's fence in the run's record. From then on,
   * earlier attempts cannot end the run, because their fence is lower. Also stores the offset after
   * which the run's events begin: the tail that the run's first attempt found. Does nothing in the
   * first attempt of a later step, because an earlier step has marked the run. Resolves to false if
   * the run has ended.
   */
  async #start(run: Run, tail: number): Promise<boolean> {
    const { step, threadId } = this.task;
    if (step > 1 && this.attempt === 1) return true;
    const start = { afterSeq: run.afterSeq ?? tail, fence: this.#fence };
    return this.dependencies.threads.startRun(this.#caller, threadId, run.runId, start);
  }

  /**
   * Writes the event `run.attempt`. It lists the offsets of the events that earlier attempts wrote
   * and never committed. Readers drop these events.
   */
  async #supersede(run: Run, cursor: Cursor, log: RunLog): Promise<void> {
    const events = await this.#readEvents(run);
    const superseded = uncommittedRanges(events, cursor.head, this.task.ordinal);
    this.#writtenMessageIds = writtenMessageIds(events, superseded);
    const data: AttemptData = { run_id: run.runId, attempt: this.attempt, superseded, tail: cursor.tail };
    log.append({ ns: '', event: CONTROL_EVENTS.attempt, data: JSON.stringify(data) });
    await log.flush();
  }

  /**
   * Returns the events that the run has written so far. Values that are stored with the state are
   * left out of the events.
   */
  async #readEvents(run: Run): Promise<StoredEvent[]> {
    const events: StoredEvent[] = [];
    for (let afterSeq = run.afterSeq ?? 0; ; ) {
      const batch = await this.dependencies.events.read(this.#caller, run.threadId, {
        afterSeq,
        limit: READ_BATCH,
        runId: run.runId,
        bare: true,
      });
      events.push(...batch);
      if (batch.length === 0) return events;
      afterSeq = batch.at(-1)?.seq ?? afterSeq;
    }
  }

  async #step(run: Run, cursor: Cursor, injections: Injection[], log: RunLog): Promise<StepReport> {
    const { savers, cache, project, drain, openStore, showsQuestions } = this.dependencies;
    const { threadId, ordinal, joinQuickStepsMs, options } = this.task;
    const graph = await project.load(run.graphId, run.request.config, {
      accessContext: 'threads.create_run',
      executionRuntime: { context: run.request.context },
    });
    const heads = Object.entries(cursor.head.heads);
    const inSubgraph =
      heads.some(([ns, head]) => ns !== '' && head.run === ordinal) && cursor.head.heads['']?.run !== ordinal;
    const openSaver = await savers.openStep(this.#caller, {
      threadId,
      runId: run.runId,
      runMetadata: { ...run.metadata, graph_id: run.graphId, assistant_id: run.assistantId },
      fence: this.#fence,
      cache,
      ...cursor,
      resumeConsumed: inSubgraph,
    });
    return runGraphStep(
      graph,
      {
        run,
        ordinal,
        attempt: this.attempt,
        joinQuickStepsMs,
        options,
        injections,
        ...(this.#writtenMessageIds && { writtenMessageIds: this.#writtenMessageIds }),
      },
      {
        openSaver,
        log,
        signal: this.stop,
        drain,
        showsQuestions,
        ...(openStore !== undefined && { store: openStore(this.#caller) }),
      },
    );
  }

  async #finish(run: Run, report: StepReport, log: RunLog): Promise<StepOutcome> {
    const { nodes, next, nextOptions, questions } = report;
    const shared = { nodes, next, ...(nextOptions !== undefined && { nextOptions }) };
    if (report.status === 'continue') {
      return { ...shared, status: 'continue', cursor: { head: report.head, tail: await log.flush() } };
    }
    const end = {
      runId: run.runId,
      fence: this.#fence,
      status: report.status,
      threadStatus: report.status === 'success' ? 'idle' : 'interrupted',
    } as const;
    await appendFeedback(this.dependencies, run, log);
    if (run.request.webhook !== undefined) await this.#keepWebhook(run, end);
    const tail = await endRunRecords(
      this.dependencies.threads,
      this.#caller,
      this.task.threadId,
      { ...end, interrupts: report.interrupts },
      log,
    );
    this.runs.delete(run.runId);
    return { ...shared, status: report.status, cursor: { head: report.head, tail }, interrupts: questions };
  }

  /**
   * Stores the body of the run's webhook. Reads the run's record again, because a cached record may
   * lack the start time that the body contains.
   */
  async #keepWebhook({ threadId, runId }: Run, end: { status: EndedRunStatus }): Promise<void> {
    const run = await this.dependencies.threads.getRun(this.#caller, threadId, runId, { admittedOnly: false });
    await keepWebhook(this.dependencies, this.#caller, run, end);
  }

  /** Converts the error of a step to a failure of Temporal, and throws the failure. */
  async #fail(error: unknown): Promise<never> {
    const { threadId, runId, step, options } = this.task;
    const context = Context.current();
    if (context.cancellationSignal.aborted) {
      // Temporal's cancellation signal is also aborted when the worker stops or when the attempt
      // times out. In both cases a later attempt continues the run.
      if (context.cancellationDetails?.cancelRequested) {
        throw new CancelledFailure(`run ${runId} of thread ${threadId} was cancelled`);
      }
      throw ApplicationFailure.create({
        type: 'worker_stopped',
        message: `the worker stopped during step ${step} of run ${runId}`,
      });
    }
    const failure = this.timeout.aborted
      ? timeoutFailure(options.startToCloseTimeoutMs, error)
      : classifyFailure(error);
    if (errorCode(error) === 'fence_lost') {
      throw await this.#fenceFailure(error, failure.error);
    }
    if (failure.kind === 'infrastructure') throw infrastructureFailure(error, failure.error);
    const failures = isRetried(failure, options) ? await this.#countFailure() : 1;
    throw await stepFailure(failure, options, failures, (kept) =>
      this.dependencies.threads.keepError(this.#caller, threadId, runId, { ...kept, fence: this.#fence }),
    );
  }

  #fenceFailure(cause: unknown, error?: RunError): Promise<ApplicationFailure> {
    return fenceFailure(this.dependencies.heads, this.#caller, this.task.threadId, this.#fence, cause, error);
  }

  /**
   * Counts one more failed attempt of the superstep that is due, and returns the count. One
   * activity may run several supersteps. They are counted separately, so that the failures of one
   * superstep do not use up the attempts of the next.
   */
  async #countFailure(): Promise<number> {
    const { threadId, runId } = this.task;
    const superstep = superstepOf(await this.dependencies.heads.readHead(this.#caller, threadId));
    return this.dependencies.threads.countFailure(this.#caller, threadId, runId, { superstep, fence: this.#fence });
  }
}

function withTaken(outcome: StepOutcome, injected: string[]): StepOutcome {
  return injected.length > 0 ? { ...outcome, injected } : outcome;
}

/**
 * Returns a name for the superstep that is due: a hash of the newest checkpoints of all namespaces.
 * Each new checkpoint changes the hash.
 */
function superstepOf({ heads }: Head): string {
  const checkpoints = Object.entries(heads).map(([ns, { checkpointId }]) => [ns, checkpointId]);
  return createHash('sha256').update(JSON.stringify(checkpoints.sort())).digest('base64url');
}

/**
 * Returns the failure of a step that exceeds the timeout of its nodes. The step stops itself before
 * Temporal would end the attempt, so that the timeout counts as a failure of the nodes.
 */
function timeoutFailure(timeoutMs: number, cause: unknown): StepFailure {
  const error = { error: 'TimeoutError', message: `the step took longer than its timeout of ${timeoutMs} ms` };
  return { kind: 'transient', error, cause };
}
