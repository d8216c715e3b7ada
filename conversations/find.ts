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

/** Records by id, with errors in the words of the API's clients. */

export function findAssistant(context: ConversationContext, caller: Caller, idOrGraph: string): Promise<Assistant> {
  return orNotFound(context.assistants.getAssistant(caller, idOrGraph), assistantNotFound(idOrGraph));
}

/** The assistant that a run or a cron names, if its caller may use it. Errors: `not_found`, those of a project's handler. */
export async function findUsableAssistant(
  context: ConversationContext,
  caller: Caller,
  access: Access,
  idOrGraph: string,
): Promise<Assistant> {
  const found = await findAssistant(context, caller, idOrGraph).catch(async (error: unknown) => {
    // Only ids can be of somebody else: a name is a graph's.
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

/** Errors: `not_found` where a checkpoint is named by its id and the thread has none of it; `no_such_checkpoint` to clients of protocol v2. */
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
 * By its id a run is shown before it is admitted too: whoever knows the id had it from us when the run was accepted.
 * Errors: `not_found`.
 */
export function findRun(context: ConversationContext, caller: Caller, threadId: string, runId: string): Promise<Run> {
  return orNotFound(
    context.threads.getRun(caller, threadId, runId, { admittedOnly: false }),
    `Run not found: thread ${threadId} has no run ${runId}`,
  );
}

/**
 * A run, and an offset that all its events are above. One that has not started has its events after the tail of now; read in this order,
 * none can slip in between. Errors: `not_found`.
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
  const again = await findRun(context, caller, threadId, runId);
  return { run: again, start: again.afterSeq ?? tail };
}

/**
 * A thread as the caller of a request may see it now. A slow handler of the project leaves time for somebody else to
 * make it anew after the gate has looked, so look right before the use. Errors: `not_found`.
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

/** Replaces the message of a `not_found`, keeps every other error as it is. */
export async function orNotFound<T>(promise: Promise<T>, message: string): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    if (errorCode(error) !== 'not_found') throw error;
    throw new ColloquyError('not_found', message, { cause: error });
  }
}
