import { ApplicationFailure } from '@temporalio/common';
import { errorCode, type Caller, type Fence, type RunError, type StepOptions } from '../protocol/index.js';
import { describeError, type StepFailure } from '../steps/index.js';
import type { HeadStore } from '../threads/index.js';
import { FAILURES } from '../workflows/contract.js';

/**
 * Delay before the next attempt, in ms, if a commit was refused although the thread's head has no
 * higher fence than the attempt. Another writer, such as an edit of the state, has then changed the
 * head in the meantime. The delay is short, because the next attempt only has to read the head
 * again.
 */
const HEAD_MOVED_DELAY_MS = 50;

/**
 * Converts the failure of a step to an `ApplicationFailure` of Temporal. `failures` is the number
 * of failed attempts of this superstep, including this one.
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
 * Creates a failure of the infrastructure, which Temporal retries without limit. The type of the
 * failure is a Colloquy error code if `cause` has one, so that Temporal's Web UI shows this code.
 */
export function infrastructureFailure(cause: unknown, error: RunError): ApplicationFailure {
  return ApplicationFailure.create({
    message: error.message,
    type: errorCode(cause) ?? error.error,
    ...causeOf(cause),
  });
}

/**
 * Converts the error `fence_lost` of an activity to a failure of Temporal. If the thread's head has
 * a higher fence than `mine`, the failure tells Temporal not to retry the activity. In this case,
 * either a later attempt is already running, or the activity needs a higher ordinal (the first part
 * of the fence). Only the workflow can give it this ordinal. If the head's fence is not higher,
 * Temporal retries the activity after {@link HEAD_MOVED_DELAY_MS}.
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
