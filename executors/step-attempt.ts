import type { LRUCache } from 'lru-cache';
import type { LoadedGraph } from '../agents/index.js';
import {
  CONTROL_EVENTS,
  encodeFence,
  errorCode,
  ifFound,
  isEnded,
  serviceCaller,
  type AttemptData,
  type Caller,
  type Cursor,
  type EndedRunStatus,
  type Fence,
  type Run,
  type StoredEvent,
} from '../protocol/index.js';
import {
  classifyFailure,
  readField,
  shortNames,
  uncommittedRanges,
  writtenMessageIds,
  Turn,
  type StepContext,
  type StepReport,
} from '../steps/index.js';
import type { RunLog } from '../streams/index.js';
import type { Injection } from '../threads/index.js';
import type { StepOutcome, StepTask } from '../workflows/contract.js';
import { appendFeedback } from './feedback.js';
import type { PausedTurns } from './paused-turns.js';
import type { AttemptDependencies, AttemptResult } from './ports.js';
import { appendEnd, endRunRecords } from './run-end.js';
import { failureOutside } from './outside-failure.js';
import { createThreadReads } from './thread-reads.js';
import { keepWebhook } from './webhook-body.js';

const READ_BATCH = 1_000;

/** What the attempts of an executor share. */
export interface SharedByAttempts {
  /** Records of runs. The request of a run never changes. */
  runs: LRUCache<string, Run>;
  turns: PausedTurns;
}

/**
 * One attempt of a step. Idempotent by its fence. A later attempt has a higher fence, so an earlier
 * attempt that still works cannot commit any more. The later attempt continues after the last
 * committed superstep.
 */
export class StepAttempt {
  readonly #fence: Fence;
  /**
   * The caller of all reads and writes. Until the run's record is read, the worker acts for itself.
   * Then it acts on behalf of the run's creator.
   */
  #caller: Caller;
  #writtenMessageIds: ReadonlySet<string> | undefined;
  #turn: Turn | undefined;

  constructor(
    private readonly dependencies: AttemptDependencies,
    private readonly shared: SharedByAttempts,
    private readonly task: StepTask,
    private readonly attempt: number,
    /** Fires when the attempt is given up. */
    private readonly stop: AbortSignal,
  ) {
    this.#fence = encodeFence({ run: task.ordinal, step: task.step, attempt });
    this.#caller = serviceCaller(task.tenant, 'worker');
  }

  async execute(): Promise<AttemptResult> {
    let log: RunLog | undefined;
    try {
      const { threadId, injections = [] } = this.task;
      const [run, cursor, { waiting, taken }] = await Promise.all([
        this.#run(),
        this.#cursor(),
        this.dependencies.injections.readInjections(this.#caller, threadId, injections),
      ]);
      if (run === undefined) return { outcome: { status: 'skipped', nodes: [], next: [], cursor } };
      this.#caller = serviceCaller(this.task.tenant, 'worker', run.createdBy);
      if (isEnded(run.status)) return { outcome: withTaken(await this.#ended(run, cursor), taken) };
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
        if (!(await started)) return { outcome: withTaken(await this.#endedMeanwhile(run, cursor), taken) };
        // Writes the offsets of superseded events (of earlier attempts that died before their
        // commit) before this attempt writes any other event.
        await this.#supersede(run, cursor, log);
      }
      const report = await this.#step(run, cursor, waiting, log).catch((cause: unknown) => new GraphFailure(cause));
      if (report instanceof GraphFailure) return await this.#failed(report.cause);
      await started;
      const outcome = withTaken(await this.#finish(run, report, log), [...taken, ...report.injected]);
      return { outcome, ...(this.shared.turns.has(run.runId) && { isPaused: true }) };
    } catch (error) {
      return { failure: failureOutside(error) };
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
    const known = this.shared.runs.get(runId);
    if (known !== undefined && step > 1 && this.attempt === 1) return known;
    const run = await ifFound(this.dependencies.threads.getRun(this.#caller, threadId, runId, { admittedOnly: false }));
    if (run === undefined) return undefined;
    this.shared.runs.set(runId, run);
    return run;
  }

  /**
   * Handles a run that has ended already. In a first attempt, or if the run has neither succeeded
   * nor been interrupted, the result is `skipped`. Otherwise an earlier attempt may have ended the
   * run and died before Temporal got the result. So this method writes the records and events that
   * are missing.
   */
  async #ended(run: Run, cursor: Cursor): Promise<StepOutcome> {
    const { events, threads } = this.dependencies;
    const { status } = run;
    if (this.attempt === 1 || (status !== 'success' && status !== 'interrupted')) {
      return { status: 'skipped', nodes: [], next: [], cursor };
    }
    const { threadId, runId } = this.task;
    // Describes nothing if the graph cannot be loaded any more.
    const { next, questions, interrupts } = await createThreadReads(this.dependencies).describe(run);
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
    return { status, nodes: [], next: shortNames(next), interrupts: questions, cursor: { ...cursor, tail } };
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

  /**
   * Lets the graph execute one step. If the graph is paused in this process, it continues. Otherwise
   * it is started from the thread's newest checkpoint.
   */
  async #step(run: Run, cursor: Cursor, injections: Injection[], log: RunLog): Promise<StepReport> {
    const { drain, openStore, showsQuestions } = this.dependencies;
    const { runId, step, ordinal, joinQuickStepsMs, options } = this.task;
    const request = {
      run,
      ordinal,
      attempt: this.attempt,
      joinQuickStepsMs,
      options,
      injections,
      ...(this.#writtenMessageIds && { writtenMessageIds: this.#writtenMessageIds }),
    };
    const context: StepContext = {
      openSaver: await this.#saver(run, cursor),
      fence: this.#fence,
      log,
      signal: this.stop,
      drain,
      showsQuestions,
      ...(openStore !== undefined && { store: openStore(this.#caller) }),
    };
    const paused = await this.shared.turns.take(runId, { step, attempt: this.attempt });
    this.#turn = paused ?? new Turn(await this.#graph(run), request, context);
    const report = await this.#turn.step(request, context);
    if (this.#turn.isPaused) this.shared.turns.keep(runId, step + 1, this.#turn);
    return report;
  }

  #graph(run: Run): Promise<LoadedGraph> {
    return this.dependencies.project.load(run.graphId, run.request.config, {
      accessContext: 'threads.create_run',
      executionRuntime: { context: run.request.context },
    });
  }

  async #saver(run: Run, cursor: Cursor): Promise<StepContext['openSaver']> {
    const { threadId, ordinal } = this.task;
    const heads = Object.entries(cursor.head.heads);
    const inSubgraph =
      heads.some(([ns, head]) => ns !== '' && head.run === ordinal) && cursor.head.heads['']?.run !== ordinal;
    return this.dependencies.savers.openStep(this.#caller, {
      threadId,
      runId: run.runId,
      runMetadata: { ...run.metadata, graph_id: run.graphId, assistant_id: run.assistantId },
      fence: this.#fence,
      cache: this.dependencies.cache,
      ...cursor,
      resumeConsumed: inSubgraph,
    });
  }

  async #finish(run: Run, report: StepReport, log: RunLog): Promise<StepOutcome> {
    const { nextOptions, questions } = report;
    const names = { nodes: shortNames(report.nodes), next: shortNames(report.next) };
    const shared = { ...names, ...(nextOptions !== undefined && { nextOptions }) };
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
    this.shared.runs.delete(run.runId);
    return { ...shared, status: report.status, cursor: { head: report.head, tail }, interrupts: questions };
  }

  /**
   * Stores the body of the run's webhook. Reads the run's record again, because a cached record may
   * lack the start time that the body contains.
   */
  async #keepWebhook({ threadId, runId }: Run, end: { status: EndedRunStatus }): Promise<void> {
    const { deliveries, threads } = this.dependencies;
    const run = await threads.getRun(this.#caller, threadId, runId, { admittedOnly: false });
    await keepWebhook(
      { deliveries, readValues: (ended) => createThreadReads(this.dependencies).values(ended) },
      this.#caller,
      run,
      end,
    );
  }

  /** Describes the error that ended the attempt, when the code of the attempt has stopped. */
  async #failed(cause: unknown): Promise<AttemptResult> {
    const { kind, error, retryAfterMs } = classifyFailure(this.#turn?.timeout ?? cause);
    const code = errorCode(cause);
    // If the run ends with this error, nodes that ran beside the failed one may go on, as with
    // LangGraph alone. Their results do not count.
    const mustStop = this.stop.aborted || kind !== 'final' || this.task.options.retryAll === true;
    const hasStopped = !mustStop || (await this.#turn?.hasStopped(this.dependencies.stopGraceMs)) !== false;
    const stack = readField(cause, 'stack');
    return {
      failure: {
        kind,
        error,
        ...(retryAfterMs !== undefined && { retryAfterMs }),
        ...(code !== undefined && { code }),
        ...(typeof stack === 'string' && { stack }),
      },
      ...(!hasStopped && { isStuck: true }),
    };
  }
}

function withTaken(outcome: StepOutcome, injected: string[]): StepOutcome {
  return injected.length > 0 ? { ...outcome, injected } : outcome;
}

/** Marks an error of the graph, or of what the graph needs. */
class GraphFailure {
  constructor(readonly cause: unknown) {}
}
