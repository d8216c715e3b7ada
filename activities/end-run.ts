import { Context } from '@temporalio/activity';
import { endRunRecords, keepWebhook } from '../executors/index.js';
import {
  encodeFence,
  errorCode,
  ifFound,
  isSameRunError,
  type Fence,
  type Run,
  type RunError,
  type ThreadStatus,
} from '../protocol/index.js';
import { isStorable, type RunEnd } from '../threads/index.js';
import type { EndRunTask, Standing } from '../workflows/contract.js';
import { workerCaller, type ActivityDependencies } from './deps.js';
import { endFailure, fenceFailure } from './failures.js';

/**
 * Returns the error with which a run ends. The workflow has only the beginning of a long error. The
 * whole error is then in the run's record, because the failed step has kept it there.
 */
function wholeError({ keptError }: Run, reported: RunError | undefined): RunError | undefined {
  return keptError !== undefined && isSameRunError(keptError.shown, reported) ? keptError.error : reported;
}

/**
 * Returns the activity that ends a run which was cancelled or failed permanently. Idempotent by run
 * id. The activity first raises the thread's fence, which says which attempt may write the thread.
 * A step of the run that is still working has a lower fence, so it cannot commit any more.
 */
export function createEndRun(dependencies: ActivityDependencies) {
  const { deliveries, executors, heads, savers } = dependencies;

  return async (task: EndRunTask): Promise<Standing> => {
    const fence = encodeFence({ run: task.ordinal, step: task.step, attempt: Context.current().info.attempt });
    try {
      return await end(task, fence);
    } catch (error) {
      throw errorCode(error) === 'fence_lost'
        ? await fenceFailure(heads, workerCaller(task.tenant), task.threadId, fence, error)
        : endFailure(error);
    }
  };

  async function end(task: EndRunTask, fence: Fence): Promise<Standing> {
    const { tenant, threadId, runId } = task;
    const worker = workerCaller(tenant);
    await heads.raiseFence(worker, threadId, fence);
    if (task.rollback) await savers.rollbackRun(worker, threadId, runId, fence);
    const run = await ifFound(dependencies.threads.getRun(worker, threadId, runId, { admittedOnly: false }));
    const caller = workerCaller(tenant, run?.createdBy);
    const thread = await standing(task, run);
    const head = await heads.readHead(caller, threadId);
    const tail = await dependencies.events.tail(caller, threadId);
    if (run === undefined) return { cursor: { head, tail }, threadStatus: thread.status, interrupts: thread.questions };
    const log = dependencies.events.open(caller, { threadId, runId, fence, tail });
    try {
      const error = wholeError(run, task.error);
      const ending = { status: task.status, ...(error !== undefined && { error }) };
      await keepWebhook({ deliveries, readValues: (ended) => executors.values(ended) }, caller, run, ending);
      const ended: RunEnd = {
        runId,
        fence,
        status: task.status,
        threadStatus: thread.status,
        interrupts: thread.interrupts,
        // Hides the run's record if the run is rolled back. A client that has read the run's last
        // event must not find the record any more.
        isRolledBack: task.rollback === true,
        ...(error !== undefined && { error }),
      };
      const last = await endRunRecords(dependencies.threads, caller, threadId, ended, log);
      if (task.rollback) await dependencies.threads.removeRun(caller, threadId, runId);
      for (const dropped of task.dropped ?? []) await dependencies.threads.discardRun(caller, threadId, dropped);
      return { cursor: { head, tail: last }, threadStatus: thread.status, interrupts: thread.questions };
    } finally {
      await log.close().catch(() => undefined);
    }
  }

  /**
   * Returns the status and the open questions that the thread has after the run. The status is
   * `error` if the run failed, `interrupted` if the graph still has a node to execute, else `idle`.
   */
  async function standing(task: EndRunTask, run: Run | undefined) {
    if (run === undefined) return { status: 'idle' as ThreadStatus, interrupts: {}, questions: [] };
    const { next, ...described } = await executors.describe(run);
    // Questions that are too large for the thread's record must not prevent the end of the run.
    const open = isStorable(described.interrupts) ? described : { interrupts: {}, questions: [] };
    const waiting: ThreadStatus = next.length > 0 ? 'interrupted' : 'idle';
    return { ...open, status: task.status === 'error' ? ('error' as ThreadStatus) : waiting };
  }
}
