import { SearchAttributeType, defineSearchAttributeKey } from '@temporalio/common';
import {
  CancellationScope,
  isCancellation,
  proxyActivities,
  setCurrentDetails,
  workflowInfo,
} from '@temporalio/workflow';
import type { CronActivities, CronInput, CronOutcome } from './contract.js';

/**
 * Activities that read and write records and conversations. If a server is down, Temporal retries
 * them until the server answers.
 */
const { fireCron, cancelScheduledRun } = proxyActivities<CronActivities>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '60s' },
});
/**
 * Waits for the end of a run. Each attempt reads the run's record once. If the run has not ended,
 * the attempt fails, and Temporal starts the next attempt after a pause.
 */
const { awaitScheduledRun } = proxyActivities<CronActivities>({
  startToCloseTimeout: '30s',
  retry: { initialInterval: '500ms', backoffCoefficient: 1.5, maximumInterval: '15s' },
});

const SCHEDULED_START = defineSearchAttributeKey('TemporalScheduledStartTime', SearchAttributeType.DATETIME);

/**
 * One firing of a cron: creates a run and waits for its end. If the workflow is cancelled (in the
 * Web UI or by the overlap policy `cancel_other`), this run is cancelled too.
 */
export async function cron(input: CronInput): Promise<CronOutcome> {
  const scheduledAt = scheduledTime().toISOString();
  // `fireCron` cannot be cancelled, because only its result shows whether there is a run to cancel.
  const fired = await CancellationScope.nonCancellable(() => fireCron({ ...input, scheduledAt }));
  if ('refused' in fired) {
    setCurrentDetails(`no run: ${fired.refused}`);
    return fired;
  }
  setCurrentDetails(`run \`${fired.runId}\` of thread \`${fired.threadId}\``);
  const run = { tenant: input.tenant, threadId: fired.threadId, runId: fired.runId };
  try {
    return { ...fired, status: await awaitScheduledRun(run) };
  } catch (failure) {
    if (isCancellation(failure)) await CancellationScope.nonCancellable(() => cancelScheduledRun(run));
    throw failure;
  }
}

/**
 * Returns the scheduled time for which the Schedule started the workflow. If a person started the
 * workflow, returns its start time.
 */
function scheduledTime(): Date {
  return workflowInfo().typedSearchAttributes.get(SCHEDULED_START) ?? workflowInfo().startTime;
}
