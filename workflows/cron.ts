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
 * Records are read and written, and a conversation asked; what fails there is the infrastructure,
 * so the server retries without end.
 */
const { fireCron, cancelScheduledRun } = proxyActivities<CronActivities>({
  startToCloseTimeout: '10s',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '60s' },
});
/** Every attempt looks once. */
const { awaitScheduledRun } = proxyActivities<CronActivities>({
  startToCloseTimeout: '30s',
  retry: { initialInterval: '500ms', backoffCoefficient: 1.5, maximumInterval: '15s' },
});

const SCHEDULED_START = defineSearchAttributeKey('TemporalScheduledStartTime', SearchAttributeType.DATETIME);

/** One firing of a cron. Cancelling it (Web UI, `cancel_other`) cancels its run. */
export async function cron(input: CronInput): Promise<CronOutcome> {
  const scheduledAt = scheduledTime().toISOString();
  // To its end even when cancelled: only then is it known whether there is a run to cancel.
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

/** When the Schedule meant it; who starts the workflow by hand means now. */
function scheduledTime(): Date {
  return workflowInfo().typedSearchAttributes.get(SCHEDULED_START) ?? workflowInfo().startTime;
}
