import { Context } from '@temporalio/activity';
import {
  CONTROL_EVENTS,
  encodeFence,
  errorCode,
  type Caller,
  type Cursor,
  type EndedData,
  type InterruptsByTask,
  type Run,
  type ThreadStatus,
} from '../protocol/index.js';
import { describeError, describeThread } from '../steps/index.js';
import type { RunLog } from '../streams/index.js';
import { MongoHeads, MongoSaver, rollbackRun, type RunEnd, type ThreadStore } from '../threads/index.js';
import type { EndRunTask } from '../workflows/contract.js';
import { workerCaller, type ActivityDependencies } from './deps.js';
import { fenceFailure } from './failures.js';

/** Ends a run's record, then says so: who sees the last event finds the record ended. Answers the offset of that event. */
export async function endRunRecords(
  threads: ThreadStore,
  caller: Caller,
  threadId: string,
  end: RunEnd,
  log: RunLog,
): Promise<number> {
  await Promise.all([log.flush(), threads.endRun(caller, threadId, end)]);
  const data: EndedData = {
    run_id: end.runId,
    status: end.status,
    ...(end.error !== undefined && { error: end.error }),
  };
  if (end.error !== undefined) log.append({ ns: '', step: 0, event: 'error', data: JSON.stringify(end.error) });
  log.append({ ns: '', step: 0, event: CONTROL_EVENTS.ended, data: JSON.stringify(data) });
  return log.flush();
}

/** The activity that ends a run from outside of its steps. Idempotent by run id; raises the fence, so that no step of the run commits after it. */
export function createEndRun(dependencies: ActivityDependencies) {
  const heads = new MongoHeads(dependencies.db);

  return async (task: EndRunTask): Promise<{ cursor: Cursor; threadStatus: ThreadStatus }> => {
    const { tenant, threadId, runId } = task;
    const caller = workerCaller(tenant);
    const fence = encodeFence({ run: task.ordinal, step: task.step, attempt: Context.current().info.attempt });
    try {
      await heads.raiseFence(tenant, threadId, fence);
      if (task.rollback) await rollbackRun(dependencies, task, runId, fence);
    } catch (error) {
      if (errorCode(error) !== 'fence_lost') throw error;
      throw fenceFailure(error, describeError(error), fence, await heads.readHead(tenant, threadId));
    }
    const run = await findRun(dependencies.threads, caller, threadId, runId);
    const thread = await standing(task, run);
    const head = await heads.readHead(tenant, threadId);
    const tail = await dependencies.events.tail(caller, threadId);
    if (run === undefined) return { cursor: { head, tail }, threadStatus: thread.status };
    const log = dependencies.events.open({ tenant, threadId, runId, fence, tail });
    try {
      const end = { runId, status: task.status, threadStatus: thread.status, interrupts: thread.interrupts };
      const last = await endRunRecords(
        dependencies.threads,
        caller,
        threadId,
        { ...end, ...(task.error !== undefined && { error: task.error }) },
        log,
      );
      if (task.rollback) await dependencies.threads.removeRun(caller, threadId, runId);
      return { cursor: { head, tail: last }, threadStatus: thread.status };
    } finally {
      await log.close().catch(() => undefined);
    }
  };

  /** How the thread stands now: in error, waiting where something is due, or idle. */
  async function standing(
    task: EndRunTask,
    run: Run | undefined,
  ): Promise<{ status: ThreadStatus; interrupts: InterruptsByTask }> {
    if (task.status === 'error') return { status: 'error', interrupts: {} };
    if (run === undefined) return { status: 'idle', interrupts: {} };
    const graph = await dependencies.project.load(run.graphId);
    const { next, interrupts } = await describeThread(
      graph,
      new MongoSaver({ ...dependencies, tenant: task.tenant }),
      task.threadId,
    );
    return { status: next.length > 0 ? 'interrupted' : 'idle', interrupts };
  }
}

async function findRun(
  threads: ThreadStore,
  caller: Caller,
  threadId: string,
  runId: string,
): Promise<Run | undefined> {
  try {
    return await threads.getRun(caller, threadId, runId, { admittedOnly: false });
  } catch (error) {
    if (errorCode(error) === 'not_found') return undefined;
    throw error;
  }
}
