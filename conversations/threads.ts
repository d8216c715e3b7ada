import { v7 as uuid7 } from '@langchain/core/utils/uuid';
import type { z } from 'zod';
import { ColloquyError, errorCode, type Caller, type Thread, ifFound, withoutNulls } from '../protocol/index.js';
import { MAX_PRUNED, type threadCreate, type threadPatch } from '../protocol/schemas/index.js';
import type { NewThread, NewTtl } from '../threads/index.js';
import type { Viewer } from './access.js';
import type { ConversationContext } from './context.js';
import { deleteThread } from './delete-thread.js';
import { applySupersteps, findSameThread, settleThread } from './edit-state.js';
import { findThread, findVisibleThread, orNotFound, threadNotFound } from './find.js';
import { graphOf } from './thread-values.js';

type ThreadBody = z.infer<typeof threadCreate>;
type PatchBody = z.infer<typeof threadPatch>;

/**
 * Creates a thread. With `if_exists: do_nothing`, returns an existing thread instead if the caller
 * may see it. If the body has `supersteps`, creates the thread's state from these updates, unless
 * the thread has a state already. Errors: `already_exists`; `invalid_argument` if the body has
 * `supersteps`, but its metadata have no `graph_id`.
 */
export async function makeThread(context: ConversationContext, viewer: Viewer, body: ThreadBody): Promise<Thread> {
  const { thread_id: threadId = uuid7(), if_exists: ifExists, supersteps, ttl, ...given } = withoutNulls(body);
  if (supersteps?.length && typeof given.metadata?.['graph_id'] !== 'string') throw noGraph(threadId);
  const newThread = { ...given, threadId, ...(ttl && { ttl: newTtl(ttl) }) };
  const thread = await createOrFindThread(context, viewer, newThread, ifExists === 'do_nothing');
  if (!supersteps?.length) return thread;
  await applySupersteps(context, viewer.caller, thread, supersteps).catch(async (error: unknown) => {
    // Without `do_nothing`, this request has created the thread. Remove the thread, so that the
    // client can repeat the request.
    if (ifExists !== 'do_nothing') await undoThread(context, viewer.caller, thread);
    throw error;
  });
  return findSameThread(context, viewer.caller, thread);
}

/**
 * Merges the request's metadata into the thread's metadata. Sets the thread's time to live if the
 * request has one. Errors: `not_found`.
 */
export async function patchThread(
  context: ConversationContext,
  viewer: Viewer,
  threadId: string,
  body: PatchBody,
): Promise<Thread> {
  const { ttl, ...given } = withoutNulls(body);
  const patch = { ...given, ...(ttl && { ttl: newTtl(ttl) }) };
  const known = await findVisibleThread(context, viewer, threadId);
  const patched = context.threads.updateThread(viewer.caller, threadId, patch, known);
  return orNotFound(patched, threadNotFound(threadId));
}

/**
 * Copies a thread with its history. Returns the copy and the values of its state; the values are
 * null if the thread has no state. Errors: `not_found`.
 */
export async function copyThread(
  context: ConversationContext,
  viewer: Viewer,
  threadId: string,
  metadata: Record<string, unknown>,
): Promise<{ thread: Thread; values: unknown }> {
  const { caller } = viewer;
  const source = await findVisibleThread(context, viewer, threadId);
  const copying = context.threads.copyThread(caller, threadId, { copyId: uuid7(), metadata, source });
  const copy = await orNotFound(copying, threadNotFound(threadId));
  const graphId = graphOf(copy);
  const state = graphId === undefined ? undefined : await settleThread(context, caller, graphId, copy.threadId);
  const thread = await findThread(context, caller, copy.threadId);
  return { thread, values: state?.checkpoint?.checkpoint_id ? state.values : null };
}

/** Deletes a thread that the caller may see. Errors: `not_found`. */
export async function removeThread(context: ConversationContext, viewer: Viewer, threadId: string): Promise<void> {
  const mark = await markToDelete(context, viewer, threadId);
  await orNotFound(deleteThread(context, viewer.caller, threadId, mark), threadNotFound(threadId));
}

/**
 * Deletes the threads with these ids, or prunes their older checkpoints, as `strategy` says. Skips
 * threads that do not exist and threads that the caller may not delete. Returns the number of
 * deleted or pruned threads.
 */
export async function pruneThreads(
  context: ConversationContext,
  { caller, access }: Viewer,
  ids: string[],
  strategy: NewTtl['strategy'],
): Promise<number> {
  if (ids.length === 0) return 0;
  const query = { ids: [...new Set(ids)], required: access.required, limit: MAX_PRUNED, offset: 0 };
  let pruned = 0;
  for (const thread of await context.threads.searchThreads(caller, query)) {
    if (await pruneThread(context, caller, thread, strategy)) pruned += 1;
  }
  return pruned;
}

function newTtl({ ttl, strategy }: NonNullable<PatchBody['ttl']>): NewTtl {
  return { minutes: ttl, strategy: strategy ?? 'delete' };
}

async function createOrFindThread(
  context: ConversationContext,
  viewer: Viewer,
  thread: NewThread,
  mayExist: boolean,
): Promise<Thread> {
  try {
    return await context.threads.createThread(viewer.caller, thread);
  } catch (error) {
    if (errorCode(error) !== 'already_exists') throw error;
    const found = mayExist ? await ifFound(findVisibleThread(context, viewer, thread.threadId)) : undefined;
    if (found !== undefined) return found;
    throw new ColloquyError('already_exists', `Thread already exists: ${thread.threadId}`, { cause: error });
  }
}

/**
 * Deletes the thread that a failed request has created. If that thread is gone and another thread
 * has its id now, the other thread is not deleted.
 */
async function undoThread(context: ConversationContext, caller: Caller, thread: Thread): Promise<void> {
  await ifFound(deleteThread(context, caller, thread.threadId, thread));
}

/**
 * Returns the thread that a request asks to delete. If the thread is not found and the project has
 * no auth, returns undefined. An earlier deletion may have been interrupted after it had hidden the
 * thread. Then this request finishes that deletion.
 * Errors: `not_found` if the thread is not found and the project has auth.
 */
async function markToDelete(
  context: ConversationContext,
  viewer: Viewer,
  threadId: string,
): Promise<Thread | undefined> {
  try {
    return await findVisibleThread(context, viewer, threadId);
  } catch (error) {
    // A result of undefined lets `deleteThread` delete any thread with this id. This may be a new
    // thread that was created in the meantime. If the project has auth, its handlers were not asked
    // about the new thread, so the request must not delete it.
    if (errorCode(error) !== 'not_found' || viewer.access.hasProjectAuth) throw error;
    return undefined;
  }
}

/** Deletes or prunes one thread. Returns false if the thread does not exist any more. */
async function pruneThread(
  context: ConversationContext,
  caller: Caller,
  thread: Thread,
  strategy: NewTtl['strategy'],
): Promise<boolean> {
  const pruning =
    strategy === 'delete'
      ? deleteThread(context, caller, thread.threadId, thread)
      : context.threads.pruneThread(caller, thread.threadId);
  return (await ifFound(pruning.then(() => true))) ?? false;
}

function noGraph(threadId: string): ColloquyError {
  return new ColloquyError(
    'invalid_argument',
    `supersteps: thread ${threadId} has no graph ID; set metadata.graph_id, so that its graph can write them`,
    { field: 'metadata.graph_id' },
  );
}
