import { ApplicationFailure, type ApplicationFailureOptions } from '@temporalio/common';
import {
  ERROR_CODES,
  WHOLE_IN_RECORD,
  errorCode,
  isSameRunError,
  shortRunError,
  type Caller,
  type Fence,
  type KeptError,
  type RunError,
  type StepOptions,
} from '../protocol/index.js';
import { isPermanent } from '../executors/index.js';
import { describeError, type StepFailure } from '../steps/index.js';
import type { HeadStore } from '../threads/index.js';
import { FAILURES } from '../workflows/contract.js';
import { causeOf } from './failure-cause.js';

/**
 * Delay before the next attempt, in ms, if a commit was refused although the thread's head has no
 * higher fence than the attempt. Another writer, such as an edit of the state, has then changed the
 * head in the meantime. The delay is short, because the next attempt only has to read the head
 * again.
 */
const HEAD_MOVED_DELAY_MS = 50;

/** Types of failures with a meaning of their own. An error of a node may have such a name. */
const RESERVED_TYPES: ReadonlySet<string> = new Set([
  ...Object.values(FAILURES),
  ...ERROR_CODES,
  'head_moved',
  'worker_stopped',
]);

/**
 * Converts the failure of a step to an `ApplicationFailure` of Temporal. Cuts long texts.
 * `failures` is the number of failed attempts of this superstep, including this one. If the failure
 * ends the run and a text was cut, calls `keep` with the whole error first.
 */
export async function stepFailure(
  failure: StepFailure,
  options: StepOptions,
  failures: number,
  keep: (kept: KeptError) => Promise<void>,
): Promise<ApplicationFailure> {
  const { error } = failure;
  if (!isRetried(failure, options) || failures >= options.maximumAttempts) {
    const shown = shortRunError(error, WHOLE_IN_RECORD);
    if (!isSameRunError(shown, error)) await keep({ error, shown });
    return createFailure(shown, failure.cause, { type: FAILURES.graph, nonRetryable: true, details: [shown] });
  }
  const shown = shortRunError(error);
  const backoff = options.initialIntervalMs * options.backoffCoefficient ** (failures - 1);
  const delay = Math.max(Math.min(backoff, options.maximumIntervalMs), failure.retryAfterMs ?? 0);
  const type = RESERVED_TYPES.has(shown.error) ? `node error ${shown.error}` : shown.error;
  return createFailure(shown, failure.cause, { type, details: [shown], nextRetryDelay: delay });
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
  return createFailure(error, cause, { type: errorCode(cause) ?? error.error });
}

/**
 * Converts an error of `endRun` to a failure of Temporal. If the error cannot heal, the activity is
 * not repeated, so that the conversation goes on with its next run.
 */
export function endFailure(cause: unknown): ApplicationFailure {
  const error = describeError(cause);
  const code = errorCode(cause);
  // An error without a code may come from an executor that has died.
  if (code === undefined || !isPermanent(cause)) return infrastructureFailure(cause, error);
  return createFailure(error, cause, { type: code, nonRetryable: true });
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
    return createFailure(error, cause, { type: FAILURES.fence, nonRetryable: true, details: [head.fence] });
  }
  return createFailure(error, cause, { type: 'head_moved', nextRetryDelay: HEAD_MOVED_DELAY_MS });
}

/**
 * Creates a failure with a short message and a short copy of `cause`. Temporal refuses a failure of
 * more than 2 MB, and then attempts the activity again without end.
 */
export function createFailure(
  error: RunError,
  cause: unknown,
  options: Omit<ApplicationFailureOptions, 'message' | 'cause'>,
): ApplicationFailure {
  const short = shortRunError({ error: options.type ?? error.error, message: error.message });
  return ApplicationFailure.create({ ...options, type: short.error, message: short.message, ...causeOf(cause) });
}
