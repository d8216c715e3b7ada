import { Context } from '@temporalio/activity';
import { isDatabaseError } from '../database/index.js';
import {
  CONTROL_EVENTS,
  encodeFence,
  endOf,
  errorCode,
  isSameRunError,
  type Caller,
  type EndedData,
  type Fence,
  type Run,
  type RunError,
  type ThreadStatus,
  ifFound,
} from '../protocol/index.js';
import { describeThread } from '../steps/index.js';
import type { RunLog } from '../streams/index.js';
import type { RunEnd, ThreadStore } from '../threads/index.js';
import type { EndRunTask, Standing } from '../workflows/contract.js';
import { workerCaller, type ActivityDependencies } from './deps.js';
import { fenceFailure } from './failures.js';
import { keepWebhook } from './webhook.js';

/**
 * Ends a run's record, then appends the run's last event, so that a reader of the event finds the
 * record ended. If the record has already ended with another status, the event gets that status.
 * Resolves to the offset of the last event. Errors: `fence_lost` if another attempt has taken over
 * the run.
 */
export async function endRunRecords(
  threads: ThreadStore,
  caller: Caller,
  threadId: string,
  end: RunEnd,
  log: RunLog,
): Promise<number> {
  const own: EndedData = {
    run_id: end.runId,
    status: end.status,
    ...(end.error !== undefined && { error: end.error }),
  };
  const [, isOwn] = await Promise.all([log.flush(), threads.endRun(caller, threadId, end)]);
  if (isOwn) return appendEnd(log, own);
  const run = await ifFound(threads.getRun(caller, threadId, end.runId, { admittedOnly: false }));
  return appendEnd(log, (run && endOf(run)) ?? own);
}

/**
 * Returns the error with which a run ends. The workflow has only the beginning of a long error. The
 * whole error is then in the run's record, because the failed step has kept it there.
 */
function wholeError({ keptError }: Run, reported: RunError | undefined): RunError | undefined {
  return keptError !== undefined && isSameRunError(keptError.shown, reported) ? keptError.error : reported;
}

/**
 * Appends the last events of a run: the event `error` if the run failed, then the event that marks
 * the end of the run. Returns the offset of this last event.
 */
export function appendEnd(log: RunLog, data: EndedData): Promise<number> {
  if (data.error !== undefined) log.append({ ns: '', event: 'error', data: JSON.stringify(data.error) });
  log.append({ ns: '', event: CONTROL_EVENTS.ended, data: JSON.stringify(data) });
  return log.flush();
}

/**
 * Returns the activity that ends a run which was cancelled or failed permanently. Idempotent by run
 * id. The activity first raises the thread's fence, which says which attempt may write the thread.
 * A step of the run that is still working has a lower fence, so it cannot commit any more.
 */
export function createEndRun(dependencies: ActivityDependencies) {
  const { heads, savers } = dependencies;

  return async (task: EndRunTask): Promise<Standing> => {
    const fence = encodeFence({ run: task.ordinal, step: task.step, attempt: Context.current().info.attempt });
    try {
      return await end(task, fence);
    } catch (error) {
      throw errorCode(error) === 'fence_lost'
        ? await fenceFailure(heads, workerCaller(task.tenant), task.threadId, fence, error)
        : error;
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
      await keepWebhook(dependencies, caller, run, { status: task.status, ...(error !== undefined && { error }) });
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
    const { next, ...open } = await describe(run);
    const waiting: ThreadStatus = next.length > 0 ? 'interrupted' : 'idle';
    return { ...open, status: task.status === 'error' ? ('error' as ThreadStatus) : waiting };
  }

  /**
   * Returns the nodes that the graph would execute next, and the open questions of the run's
   * thread. Returns none if the graph cannot be loaded or its state cannot be read, because this
   * may be the reason why the run ended. Throws errors of the database, so that Temporal retries
   * the activity.
   */
  async function describe(run: Run): ReturnType<typeof describeThread> {
    const nothing = { next: [], interrupts: {}, questions: [] };
    const graph = await dependencies.project.load(run.graphId, run.request.config).catch(() => undefined);
    if (graph === undefined) return nothing;
    try {
      const saver = await savers.openReader(workerCaller(run.tenant, run.createdBy), run.threadId);
      const { showsQuestions } = dependencies;
      return await describeThread(graph, saver, run.threadId, { showsQuestions });
    } catch (error) {
      if (isDatabaseError(error)) throw error;
      return nothing;
    }
  }
}
