import {
  CONTROL_EVENTS,
  NO_FENCE,
  decodeFence,
  encodeFence,
  errorCode,
  webhookDelivery,
  type Caller,
  type EndedData,
  type Fence,
  type Interrupt,
  type Run,
  type RunError,
} from '../protocol/index.js';
import type { ConversationContext } from './context.js';
import { standingOf } from './edit-state.js';
import { findThread } from './find.js';
import type { EndedExecution } from './ports.js';

/** Name of the error with which a lost run ends. */
const CONVERSATION_LOST = 'conversation_lost';

/** How often the last event is written again after another writer has taken over the log. */
const APPEND_ATTEMPTS = 20;
/** The highest step and attempt that a fence can have. */
const LAST_ATTEMPT = { step: 9_999_999, attempt: 99_999 };

/** How a conversation ended that will not continue its runs. */
type ConversationEnd = EndedExecution & { endedAt: Date };

const ENDINGS: Record<EndedExecution['ending'], string> = {
  completed: 'was completed by Temporal',
  failed: 'failed',
  cancelled: 'was cancelled',
  terminated: 'was terminated',
  timed_out: 'timed out',
  unknown: 'was deleted',
};

/**
 * Ends the records of lost runs: the run gets the status `error`, its last event is written, and
 * its webhook is sent. Leaves a run whose record has changed since it was read. Returns the ids of
 * the runs that this call has ended.
 *
 * @param runs the lost runs of one thread, oldest first
 * @param end how the workflow ended; undefined if an open execution does not know the runs
 */
export async function endLost(
  context: ConversationContext,
  caller: Caller,
  threadId: string,
  runs: readonly Run[],
  end: ConversationEnd | undefined,
): Promise<string[]> {
  const fence = end === undefined ? NO_FENCE : await stopSteps(context, caller, threadId, end.endedAt);
  const [newest] = await context.threads.listRuns(caller, threadId, { limit: 1, offset: 0 });
  const interrupts = await openInterrupts(context, caller, threadId, runs);
  const ended: string[] = [];
  for (const run of runs) {
    const error = lostError(run, end);
    const isNewest = run.runId === newest?.runId;
    if (!(await context.threads.endLostRun(caller, run, { error, interrupts, isNewest }))) continue;
    ended.push(run.runId);
    context.report(new Error(error.message), CONVERSATION_LOST);
    await writeEnd(context, caller, run, error, fence);
    await sendWebhook(context, caller, run, error);
  }
  return ended;
}

/**
 * Raises the fence of a thread. The conversation has ended, but one of its steps may still be
 * running. With the higher fence, that step cannot commit any more. Returns the fence. The ordinals
 * of an execution count from its start time in seconds. So the fence is higher than the fences of
 * the ended execution, and lower than those of every execution that starts after its end.
 */
async function stopSteps(
  context: ConversationContext,
  caller: Caller,
  threadId: string,
  endedAt: Date,
): Promise<Fence> {
  const head = await context.heads.readHead(caller, threadId);
  const run = Math.max(decodeFence(head.fence).run, Math.floor(endedAt.getTime() / 1000));
  const fence = encodeFence({ run, ...LAST_ATTEMPT });
  try {
    await context.heads.raiseFence(caller, threadId, fence);
  } catch (error) {
    // A new execution has begun to write the thread. This shuts out the old one too.
    if (errorCode(error) !== 'fence_lost') throw error;
  }
  return fence;
}

/**
 * Returns the interrupts that are open in the thread's state. If the state cannot be read, for
 * example because its graph does not load, returns those in the thread's record.
 */
async function openInterrupts(
  context: ConversationContext,
  caller: Caller,
  threadId: string,
  runs: readonly Run[],
): Promise<Record<string, Interrupt[]>> {
  const thread = await findThread(context, caller, threadId);
  const graphId = runs.at(-1)?.graphId;
  try {
    return standingOf(await context.states.getState(caller, graphId, threadId)).interrupts;
  } catch (error) {
    if (errorCode(error) === 'unavailable') throw error;
    return thread.interrupts;
  }
}

function lostError({ runId, threadId }: Run, end: ConversationEnd | undefined): RunError {
  const cause =
    end === undefined
      ? 'is open but does not know the run: it was reset to an earlier point, or was started again'
      : `${ENDINGS[end.ending]}${end.reason === undefined ? '' : ` (${end.reason})`}`;
  const message =
    `run ${runId} of thread ${threadId} is lost, because the workflow of the thread ${cause}. ` +
    'The state of the thread is that of its last checkpoint; to go on, submit the input again as a new run';
  return { error: CONVERSATION_LOST, message };
}

/**
 * Writes the last events of a run, so that streams and waiting requests end. The event log refuses
 * an event whose fence is lower than that of the log's last event. A higher one would stop an open
 * conversation that writes the log. So the events get the fence of the last event, or `floor` if
 * that is higher.
 */
async function writeEnd(
  context: ConversationContext,
  caller: Caller,
  { threadId, runId }: Run,
  error: RunError,
  floor: Fence,
): Promise<void> {
  const data: EndedData = { run_id: runId, status: 'error', error };
  for (let attempt = 1; ; attempt += 1) {
    const { tail, fence } = await lastEvent(context, caller, threadId);
    const log = context.events.open(caller, { threadId, runId, tail, fence: fence > floor ? fence : floor });
    try {
      log.append({ ns: '', event: 'error', data: JSON.stringify(error) });
      log.append({ ns: '', event: CONTROL_EVENTS.ended, data: JSON.stringify(data) });
      await log.flush();
      return;
    } catch (failure) {
      if (errorCode(failure) !== 'fence_lost' || attempt === APPEND_ATTEMPTS) throw failure;
    } finally {
      await log.close().catch(() => undefined); // flush has thrown the same error already
    }
  }
}

async function lastEvent(
  context: ConversationContext,
  caller: Caller,
  threadId: string,
): Promise<{ tail: number; fence: Fence }> {
  const tail = await context.events.tail(caller, threadId);
  if (tail === 0) return { tail, fence: NO_FENCE };
  const [last] = await context.events.read(caller, threadId, { afterSeq: tail - 1, limit: 1, bare: true });
  return { tail, fence: last?.fence ?? NO_FENCE };
}

/**
 * Stores and starts the delivery of a lost run's webhook. Another process may take the run over
 * until its record has ended, so this can only be done afterwards. If this process dies in between,
 * the webhook is not sent.
 */
async function sendWebhook(context: ConversationContext, caller: Caller, run: Run, error: RunError): Promise<void> {
  if (run.request.webhook === undefined) return;
  const values = await context.states.finalValues(caller, run).catch(() => undefined);
  const delivery = webhookDelivery(run, { status: 'error', error }, values);
  if (delivery === undefined) return;
  await context.deliveries.put(caller, delivery);
  await context.conversations.startWebhook(caller, run.threadId, run.runId);
}
