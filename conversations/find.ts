import {
  ColloquyError,
  errorCode,
  type Assistant,
  type Caller,
  type CheckpointRef,
  type Run,
  type Thread,
} from '../protocol/index.js';
import { uuid } from '../protocol/schemas/index.js';
import type { Access, Viewer } from './access.js';
import type { ConversationContext } from './context.js';

/** Functions that find records by id. Their error messages are for the clients of the API. */

export function findAssistant(context: ConversationContext, caller: Caller, idOrGraph: string): Promise<Assistant> {
  return orNotFound(context.assistants.getAssistant(caller, idOrGraph), assistantNotFound(idOrGraph));
}

/**
 * Returns the assistant that a run or a cron names, if the caller may use it. Errors: `not_found`;
 * errors that the auth handler of the project throws.
 */
export async function findUsableAssistant(
  context: ConversationContext,
  caller: Caller,
  access: Access,
  idOrGraph: string,
): Promise<Assistant> {
  const found = await findAssistant(context, caller, idOrGraph).catch(async (error: unknown) => {
    // The auth handler of the project is also asked about an id that does not exist. So the caller
    // cannot tell this case from the case that another user has the assistant. The handler is not
    // asked about a name that does not exist, because names belong to graphs and not to users.
    if (errorCode(error) === 'not_found' && uuid.safeParse(idOrGraph).success) {
      await access.checkAssistant(undefined, idOrGraph);
    }
    throw error;
  });
  await access.checkAssistant(found, idOrGraph);
  return found;
}

export function assistantNotFound(idOrGraph: string): string {
  return `Assistant not found: No assistant found for "${idOrGraph}", neither by id nor by graph`;
}

export function findThread(context: ConversationContext, caller: Caller, threadId: string): Promise<Thread> {
  return orNotFound(context.threads.getThread(caller, threadId), threadNotFound(threadId));
}

export function threadNotFound(threadId: string): string {
  return `Thread with ID ${threadId} not found`;
}

/**
 * Checks that a checkpoint exists if the request names one. Errors: `not_found`, which clients of
 * protocol v2 get as `no_such_checkpoint`.
 */
export async function assertCheckpoint(
  context: ConversationContext,
  caller: Caller,
  threadId: string,
  { checkpointId, checkpointNs = '' }: CheckpointRef = {},
): Promise<void> {
  if (checkpointId === undefined) return;
  if (await context.states.hasCheckpoint(caller, threadId, { checkpointId, checkpointNs })) return;
  const where = checkpointNs === '' ? '' : ` in namespace ${JSON.stringify(checkpointNs)}`;
  const message = `Checkpoint not found: thread ${threadId} has no checkpoint ${checkpointId}${where}`;
  throw new ColloquyError('not_found', message, { errorName: 'no_such_checkpoint' });
}

/**
 * Returns a run, even if it is not admitted yet (not shown in lists). This is necessary because a
 * client gets the id of a run as soon as the run is accepted. Errors: `not_found`.
 */
export function findRun(context: ConversationContext, caller: Caller, threadId: string, runId: string): Promise<Run> {
  return orNotFound(
    context.threads.getRun(caller, threadId, runId, { admittedOnly: false }),
    `Run not found: thread ${threadId} has no run ${runId}`,
  );
}

/**
 * Returns a run and an offset `start` of the event log. All events of the run have higher offsets
 * than `start`. If the run has not started, `start` is the offset of the log's last event. The run
 * may start while that offset is read, so the run is read again afterwards. Errors: `not_found`.
 */
export async function locateRun(
  context: ConversationContext,
  caller: Caller,
  threadId: string,
  runId: string,
): Promise<{ run: Run; start: number }> {
  const run = await findRun(context, caller, threadId, runId);
  if (run.afterSeq !== undefined) return { run, start: run.afterSeq };
  const tail = await context.events.tail(caller, threadId);
  const current = await findRun(context, caller, threadId, runId);
  return { run: current, start: current.afterSeq ?? tail };
}

/**
 * Returns a thread if the caller may see it now. Call this right before the thread is used. The API
 * has checked the thread when the request arrived, but since then the thread may have been deleted
 * and created again. Errors: `not_found`.
 */
export async function findVisibleThread(
  context: ConversationContext,
  { caller, access }: Viewer,
  threadId: string,
): Promise<Thread> {
  const thread = await findThread(context, caller, threadId);
  access.checkThread(thread);
  return thread;
}

/**
 * Waits for the promise. If it rejects with `not_found`, replaces the error message by `message`.
 * Other errors stay unchanged.
 */
export async function orNotFound<T>(promise: Promise<T>, message: string): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    if (errorCode(error) !== 'not_found') throw error;
    throw new ColloquyError('not_found', message, { cause: error });
  }
}
