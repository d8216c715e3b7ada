import { ApplicationFailure } from '@temporalio/common';
import { errorCode, type Caller, type Fence, type RunError, type StepOptions } from '../protocol/index.js';
import { describeError, type StepFailure } from '../steps/index.js';
import type { HeadStore } from '../threads/index.js';
import { FAILURES } from '../workflows/contract.js';

/**
 * Delay before the next attempt of a step that met a newer revision without a higher fence. Short,
 * because that attempt only has to read the head again.
 */
const HEAD_MOVED_DELAY_MS = 50;

/**
 * Converts a failed step to a failure of Temporal. `failures` counts the failed attempts of this
 * superstep, including this one.
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

/**
 * Makes an infrastructure failure, which Temporal retries without limit. The failure's type is our
 * error code, so that the Web UI shows the code.
 */
export function infrastructureFailure(cause: unknown, error: RunError): ApplicationFailure {
  return ApplicationFailure.create({
    message: error.message,
    type: errorCode(cause) ?? error.error,
    ...causeOf(cause),
  });
}

/**
 * Converts a lost fence to a failure of Temporal. If the head has a higher fence, the failure is
 * not retried: either the workflow then takes a higher ordinal, or a later attempt runs already.
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
