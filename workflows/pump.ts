/**
 * Runs what the queue holds, one run at a time, by calling activities. The only place that does.
 */
import {
  ActivityFailure,
  ApplicationFailure,
  CancellationScope,
  isCancellation,
  proxyActivities,
} from '@temporalio/workflow';
import { decodeFence } from '../protocol/index.js';
import type { EndedRunStatus, Fence, RunError } from '../protocol/index.js';
import { DEFAULT_STEP_OPTIONS, FAILURES, oneLine } from './contract.js';
import type { ConversationActivities, ConversationInput, QueuedRun, StepOptions, StepOutcome } from './contract.js';
import type { ConversationQueue, CurrentRun } from './queue.js';
import { WebhookStarts } from './webhook-starts.js';

/**
 * A few records are read and written; what fails there is the infrastructure, so the server retries
 * without end.
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

/** Ordinals tried for one run when other executions of the thread left higher fences. */
const FENCE_ATTEMPTS = 3;

export class Pump {
  private scope?: CancellationScope;
  private readonly webhooks: WebhookStarts;

  /** `changed` is called whenever the conversation shows something new. */
  constructor(
    private readonly input: ConversationInput,
    private readonly queue: ConversationQueue,
    private readonly changed: () => void,
  ) {
    this.webhooks = new WebhookStarts(input, (text) => queue.notes.add(text));
  }

  /** Reaches the activity of the current run, if that run was cancelled. */
  stopIfCancelled(): void {
    if (this.queue.current?.run.cancelled !== undefined) this.scope?.cancel();
  }

  /** Takes the first waiting run to its end. */
  async runNext(): Promise<void> {
    const current = this.queue.take();
    this.changed();
    if (!(await this.record(current.run))) return;
    if (current.run.cancelled !== undefined) return this.end(current, 'interrupted');
    this.queue.begin(current);
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

  /** Has every waiting run recorded, so that only ids remain of it. */
  async recordWaiting(): Promise<void> {
    for (const run of this.queue.unrecorded()) await this.record(run);
  }

  /**
   * Resolves when every webhook that is due goes its own way: before that the conversation must not
   * end.
   */
  webhooksStarted(): Promise<void> {
    return this.webhooks.started();
  }

  private async runSteps(current: CurrentRun, scope: CancellationScope): Promise<void> {
    let options = DEFAULT_STEP_OPTIONS;
    for (;;) {
      current.step += 1;
      this.changed();
      const outcome = await this.fenced(current, current.step === 1, () =>
        scope.run(() => this.step(current, options)),
      );
      if (!this.queue.stepped(current, outcome)) return this.webhooks.start(current.run);
      options = outcome.nextOptions ?? options;
      await this.endCancelled(current);
    }
  }

  private step(current: CurrentRun, options: StepOptions): Promise<StepOutcome> {
    const { tenant, threadId, settings } = this.input;
    const { cursor } = this.queue;
    const injections = this.queue.injections.ids;
    const due = current.step === 1 ? current.run.graphId : current.nodes.join(', ');
    return runStep.executeWithOptions(
      {
        startToCloseTimeout: options.startToCloseTimeoutMs,
        heartbeatTimeout: options.heartbeatTimeoutMs,
        retry: {
          initialInterval: options.initialIntervalMs,
          backoffCoefficient: options.backoffCoefficient,
          maximumInterval: options.maximumIntervalMs,
        },
        // Without a queue of its own the activity may come back with the answer to this workflow
        // task.
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
   * False when there is nothing to run: refused, or the key of an earlier message. Both are noted.
   */
  private async record(run: QueuedRun): Promise<boolean> {
    if (!run.unrecorded) return true;
    const { tenant, threadId } = this.input;
    const drop = (why: string) => {
      this.queue.notes.add(`run ${run.runId} ${why}`);
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
   * Ends the runs that were cancelled while they waited, under the fence of the current one: its
   * steps go on after it.
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
      const stands = await this.fenced(under, under.run === run, () =>
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
   * Calls an activity again with a higher ordinal where an earlier execution of the thread left a
   * higher fence. A later step may not: what the run has committed is known by its ordinal.
   */
  private async fenced<T>(current: CurrentRun, mayRaise: boolean, call: () => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await call();
      } catch (failure) {
        const above = lostTo(failure);
        if (above === undefined || !mayRaise || attempt === FENCE_ATTEMPTS) throw failure;
        this.queue.raiseOrdinal(current, above);
      }
    }
  }
}

/** Ordinal of the fence that an activity lost to; 0 where it did not say. */
function lostTo(failure: unknown): number | undefined {
  const cause = failure instanceof ActivityFailure ? failure.cause : undefined;
  if (!(cause instanceof ApplicationFailure) || cause.type !== FAILURES.fence) return undefined;
  const [fence] = cause.details ?? [];
  return typeof fence === 'string' ? decodeFence(fence as Fence).run || 0 : 0;
}

/** The cause of a failure, in the words that clients see. */
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
