/**
 * Executes the runs of the queue sequentially. This is the only file of the conversation workflow
 * that calls activities.
 */
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  patched,
  proxyActivities,
  workflowInfo,
} from '@temporalio/workflow';
import { decodeFence } from '../protocol/index.js';
import type { EndedRunStatus, Fence, RunError } from '../protocol/index.js';
import { FAILURES, oneLine } from './contract.js';
import type { ConversationActivities, ConversationInput, CurrentRun, QueuedRun, StepOutcome } from './contract.js';
import type { ConversationQueue } from './queue.js';
import { WebhookStarts } from './webhook-starts.js';

/**
 * The options of `recordRun` and `endRun`, which access only a few records. If the infrastructure
 * fails, Temporal retries these two activities without limit. `runStep` gets its own options for
 * each call.
 */
const { recordRun, endRun, runStep } = proxyActivities<ConversationActivities>({
  startToCloseTimeout: '30s',
  retry: {
    initialInterval: '1s',
    backoffCoefficient: 2,
    maximumInterval: '60s',
    nonRetryableErrorTypes: Object.values(FAILURES),
  },
  cancellationType: 'WAIT_CANCELLATION_COMPLETED',
});

/**
 * Temporal requires a timeout for each activity, but a step has no time limit by default. So this
 * timeout is longer than any step. The worker enforces the limits that nodes set, because only the
 * worker can stop a node. If the worker dies, its heartbeats stop, and Temporal ends the attempt.
 */
const LONGEST_STEP = '365 days';

/**
 * Maximum number of ordinals to try for one activity. The ordinal is the first part of the fence.
 * A higher ordinal is needed if an earlier workflow execution left a higher fence in the thread's
 * head.
 */
const FENCE_ATTEMPTS = 3;

export class Pump {
  private scope?: CancellationScope;
  /** Number of steps that this workflow execution has executed. */
  private steps = 0;
  private readonly webhooks: WebhookStarts;

  /**
   * The pump calls `changed` after each change that Temporal's Web UI shows. Examples: a run
   * begins, a step begins, a run has ended.
   */
  constructor(
    private readonly input: ConversationInput,
    private readonly queue: ConversationQueue,
    private readonly changed: () => void,
  ) {
    this.webhooks = new WebhookStarts(input, (text) => queue.notes.add(text));
  }

  /** Cancels the activity of the current run if that run was cancelled. */
  stopIfCancelled(): void {
    if (this.queue.current?.run.cancelled !== undefined) this.scope?.cancel();
  }

  /** Whether the workflow must continue as new before the next step. */
  get isLong(): boolean {
    const { maxSteps } = this.input.settings;
    return workflowInfo().continueAsNewSuggested || (maxSteps > 0 && this.steps >= maxSteps);
  }

  /**
   * Executes the current run until it has ended. If there is none, takes the first waiting run from
   * the queue. Returns between two steps if the workflow must continue as new. The run is still the
   * current run then, and the next call executes its next step.
   */
  async runNext(): Promise<void> {
    const current = this.queue.current ?? this.queue.take();
    this.changed();
    if (!(await this.record(current.run))) return;
    if (current.run.cancelled !== undefined) return this.end(current, 'interrupted');
    if (current.step === 0) this.queue.begin(current);
    const scope = new CancellationScope();
    this.scope = scope;
    try {
      await this.runSteps(current, scope);
    } catch (failure) {
      if (!(failure instanceof ActivityFailure) && !isCancellation(failure)) throw failure;
      const stopped = current.run.cancelled !== undefined || isCancellation(failure);
      await (stopped ? this.end(current, 'interrupted') : this.end(current, 'error', runError(failure)));
    } finally {
      delete this.scope;
    }
  }

  /**
   * Creates the records of all waiting runs that have none. Until then, the queue contains the
   * input or the answer of such a run. Afterwards the queue contains only the run's id.
   */
  async recordWaiting(): Promise<void> {
    for (const run of this.queue.unrecorded()) await this.record(run);
  }

  /**
   * Resolves when the deliveries of all due webhooks have started. The workflow must not end before
   * that.
   */
  webhooksStarted(): Promise<void> {
    return this.webhooks.started();
  }

  private async runSteps(current: CurrentRun, scope: CancellationScope): Promise<void> {
    // Runs may have been cancelled while the workflow continued as new.
    if (current.step > 0) await this.endCancelled(current);
    for (;;) {
      current.step += 1;
      this.steps += 1;
      this.changed();
      const outcome = await this.withHigherOrdinal(current, current.step === 1, () =>
        scope.run(() => this.step(current)),
      );
      if (!this.queue.stepped(current, outcome)) return this.webhooks.start(current.run);
      await this.endCancelled(current);
      // Older code continued as new only between two runs.
      if (this.isLong && patched('continued-between-steps')) return;
    }
  }

  private step(current: CurrentRun): Promise<StepOutcome> {
    const { options } = current;
    const { tenant, threadId, settings } = this.input;
    const { cursor } = this.queue;
    const injections = this.queue.injections.ids;
    const due = current.step === 1 ? current.run.graphId : current.nodes.join(', ');
    return runStep.executeWithOptions(
      {
        startToCloseTimeout: LONGEST_STEP,
        heartbeatTimeout: options.heartbeatTimeoutMs,
        retry: {
          initialInterval: options.initialIntervalMs,
          backoffCoefficient: options.backoffCoefficient,
          maximumInterval: options.maximumIntervalMs,
        },
        // Set only if the nodes need another task queue. Without it, Temporal can give the activity
        // directly to this worker when the worker completes the workflow task (eager execution).
        ...(options.taskQueue === undefined ? {} : { taskQueue: options.taskQueue }),
        summary: oneLine(`turn ${this.queue.turns}, step ${current.step}: ${due}`),
      },
      [
        {
          tenant,
          threadId,
          runId: current.run.runId,
          graphId: current.run.graphId,
          ordinal: current.ordinal,
          step: current.step,
          joinQuickStepsMs: settings.joinQuickStepsMs,
          options,
          ...(injections.length > 0 && { injections }),
          ...(cursor === undefined ? {} : { cursor }),
        },
      ],
    );
  }

  /**
   * Creates the record of a run that has none. Returns true if the run has a record now. Returns
   * false if the run was refused, could not be recorded, or is a duplicate of an earlier run of
   * this conversation. Such a run is removed from the queue, and a note reports it.
   */
  private async record(run: QueuedRun): Promise<boolean> {
    if (!run.unrecorded) return true;
    const { tenant, threadId } = this.input;
    const drop = (reason: string) => {
      this.queue.notes.add(`run ${run.runId} ${reason}`);
      this.queue.drop(run);
      this.changed();
      return false;
    };
    try {
      const recorded = await recordRun({
        tenant,
        threadId,
        runId: run.runId,
        ...(run.assistantId ? { assistantId: run.assistantId } : {}),
        run: run.unrecorded,
      });
      if ('refused' in recorded) return drop(`was refused: ${recorded.refused}`);
      return this.queue.recorded(run, recorded) || drop(`is a duplicate of run ${recorded.runId}`);
    } catch (failure) {
      if (!(failure instanceof ActivityFailure)) throw failure;
      return drop(`could not be recorded: ${runError(failure).message}`);
    }
  }

  /**
   * Ends the runs that were cancelled while they waited in the queue. The current run continues
   * afterwards. So the fences of these calls of `endRun` have the ordinal of the current run. With
   * a higher ordinal, they would shut out the next step of the current run.
   */
  private async endCancelled(current: CurrentRun): Promise<void> {
    for (let run = this.queue.takeCancelled(); run; run = this.queue.takeCancelled()) {
      if (!(await this.record(run))) continue;
      current.step += 1;
      await this.endRun(run, current, 'interrupted');
    }
  }

  private async end(current: CurrentRun, status: EndedRunStatus, error?: RunError): Promise<void> {
    current.step += 1;
    await this.endRun(current.run, current, status, error);
  }

  private async endRun(run: QueuedRun, under: CurrentRun, status: EndedRunStatus, error?: RunError): Promise<void> {
    const { tenant, threadId } = this.input;
    const end = { status, ...(error === undefined ? {} : { error }) };
    const dropped = under.run === run ? this.queue.injections.ids : [];
    try {
      const stands = await this.withHigherOrdinal(under, under.run === run, () =>
        endRun({
          tenant,
          threadId,
          runId: run.runId,
          ordinal: under.ordinal,
          step: under.step,
          ...end,
          ...(run.cancelled === 'rollback' ? { rollback: true, ...(dropped.length > 0 && { dropped }) } : {}),
        }),
      );
      this.queue.ended(run, end, stands);
    } catch (failure) {
      if (!(failure instanceof ActivityFailure)) throw failure;
      this.queue.notes.add(`run ${run.runId} could not be ended: ${runError(failure).message}`);
      this.queue.ended(run, end);
    }
    this.webhooks.start(run);
    this.changed();
  }

  /**
   * Calls an activity. If the call fails because an earlier workflow execution left a higher fence
   * in the thread's head, raises the run's ordinal, which is the first part of the fence, and calls
   * again. `mayRaiseOrdinal` must be false if the run has executed a step and will execute another,
   * because the next step finds the commits of the earlier steps by the run's ordinal.
   */
  private async withHigherOrdinal<T>(
    current: CurrentRun,
    mayRaiseOrdinal: boolean,
    call: () => Promise<T>,
  ): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await call();
      } catch (failure) {
        const above = ordinalOfHigherFence(failure);
        if (above === undefined || !mayRaiseOrdinal || attempt === FENCE_ATTEMPTS) throw failure;
        this.queue.raiseOrdinal(current, above);
      }
    }
  }
}

/**
 * If an activity failed because the thread's head has a higher fence, returns the ordinal in that
 * fence (its first part), or 0 if the ordinal is unknown. Returns undefined for any other failure.
 */
function ordinalOfHigherFence(failure: unknown): number | undefined {
  const cause = failure instanceof ActivityFailure ? failure.cause : undefined;
  if (!(cause instanceof ApplicationFailure) || cause.type !== FAILURES.fence) return undefined;
  const [fence] = cause.details ?? [];
  return typeof fence === 'string' ? decodeFence(fence as Fence).run || 0 : 0;
}

/** Returns the error of a failed run as clients see it. */
function runError(failure: unknown): RunError {
  const cause = failure instanceof ActivityFailure ? (failure.cause ?? failure) : (failure as Error);
  if (cause instanceof ApplicationFailure) {
    const [detail] = (cause.details ?? []) as Partial<RunError>[];
    if (cause.type === FAILURES.graph && typeof detail?.error === 'string') {
      return { error: detail.error, message: detail.message ?? cause.message };
    }
    return { error: cause.type ?? cause.name, message: cause.message };
  }
  return { error: cause.name, message: cause.message };
}
