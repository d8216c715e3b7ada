import { ApplicationFailure } from '@temporalio/common';
import { errorCode, type Caller, type Fence, type RunError, type StepOptions } from '../protocol/index.js';
import { describeError, type StepFailure } from '../steps/index.js';
import type { HeadStore } from '../threads/index.js';
import { FAILURES } from '../workflows/contract.js';

/** A writer that only met a newer revision, not a higher fence, reads the head again and goes on: soon. */
const HEAD_MOVED_DELAY_MS = 50;

/**
 * The failure of a step as Temporal shall treat it. `failures` counts those of the node at this step, this one included.
 */
export function stepFailure(failure: StepFailure, options: StepOptions, failures: number): ApplicationFailure {
  const { error } = failure;
  const retried = isRetried(failure, options);
  const common = { message: error.message, details: [error], ...causeOf(failure.cause) };
  if (!retried || failures >= options.maximumAttempts) {
    return ApplicationFailure.create({ ...common, type: FAILURES.graph, nonRetryable: true });
  }
  const backoff = options.initialIntervalMs * options.backoffCoefficient ** (failures - 1);
  const delay = Math.max(Math.min(backoff, options.maximumIntervalMs), failure.retryAfterMs ?? 0);
  return ApplicationFailure.create({ ...common, type: error.error, nextRetryDelay: delay });
}

export function isRetried(failure: StepFailure, options: StepOptions): boolean {
  if (options.nonRetryableErrors?.includes(failure.error.error)) return false;
  return failure.kind === 'transient' || options.retryAll === true;
}

/** A failure of ours or of a server: retried without end. The type is the code, so that it can be read in the Web UI. */
export function infrastructureFailure(cause: unknown, error: RunError): ApplicationFailure {
  return ApplicationFailure.create({
    message: error.message,
    type: errorCode(cause) ?? error.error,
    ...causeOf(cause),
  });
}

/**
 * The failure of an attempt that lost its thread. Not retried if the head has a higher fence: the workflow then takes a
 * higher ordinal, or a later attempt is at work already.
 */
export async function fenceFailure(
  heads: Pick<HeadStore, 'readHead'>,
  caller: Caller,
  threadId: string,
  mine: Fence,
  cause: unknown,
  error: RunError = describeError(cause),
): Promise<ApplicationFailure> {
  const head = await heads.readHead(caller, threadId);
  if (head.fence > mine) {
    const details = [head.fence];
    return ApplicationFailure.create({
      message: error.message,
      type: FAILURES.fence,
      nonRetryable: true,
      details,
      ...causeOf(cause),
    });
  }
  return ApplicationFailure.create({
    message: error.message,
    type: 'head_moved',
    nextRetryDelay: HEAD_MOVED_DELAY_MS,
    ...causeOf(cause),
  });
}

function causeOf(cause: unknown): { cause?: Error } {
  return cause instanceof Error ? { cause } : {};
}
