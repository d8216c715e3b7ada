import { NOTHING_REQUIRED, STATELESS_METADATA, type Caller, ifFound } from '../protocol/index.js';
import type { ThreadIdentity } from '../threads/index.js';
import type { Viewer } from './access.js';
import { deleteCronsOf } from './change-cron.js';
import type { ConversationContext } from './context.js';

const ENDED_STATUSES = ['idle', 'error', 'interrupted'] as const;
const SWEEP_PAGE = 100;

/**
 * Deletes the threads of stateless runs that ended before a date. Returns the number of deleted
 * threads.
 */
export async function sweepStateless(context: ConversationContext, caller: Caller, endedBefore: Date): Promise<number> {
  const pages = await Promise.all(
    ENDED_STATUSES.map((status) =>
      context.threads.searchThreads(caller, {
        metadata: STATELESS_METADATA,
        required: NOTHING_REQUIRED,
        status,
        limit: SWEEP_PAGE,
        offset: 0,
        sortBy: 'updated_at',
        sortOrder: 'asc',
      }),
    ),
  );
  const old = pages.flat().filter((thread) => thread.updatedAt < endedBefore);
  let deleted = 0;
  for (const { threadId } of old) {
    // The status alone is not enough: a thread with a queued run becomes `busy` only when the run
    // starts.
    if ((await context.threads.activeRuns(caller, threadId)).length > 0) continue;
    await deleteThread(context, caller, threadId);
    deleted += 1;
  }
  return deleted;
}

/**
 * Deletes the threads whose last run used this assistant. Leaves threads that the caller may not
 * delete.
 */
export async function deleteThreadsOf(
  context: ConversationContext,
  { caller, access }: Viewer,
  assistantId: string,
): Promise<void> {
  const metadata = { assistant_id: assistantId };
  const query = { metadata, required: access.required, limit: SWEEP_PAGE, offset: 0 };
  for (;;) {
    const threads = await context.threads.searchThreads(caller, query);
    for (const thread of threads) {
      // Another request may have deleted the thread in the meantime.
      await ifFound(deleteThread(context, caller, thread.threadId, thread));
    }
    if (threads.length < SWEEP_PAGE) return;
  }
}

/**
 * Deletes a thread with all its data. The first step closes the thread, which then accepts no more
 * runs. If this process dies between two steps, a repeated call without `mark` continues the
 * deletion.
 * A later thread may have the same id. `mark` says which of these threads the caller means. A call
 * with `mark` deletes no other thread, and fails if the thread is closed already.
 * Errors: `not_found`.
 */
export async function deleteThread(
  context: ConversationContext,
  caller: Caller,
  threadId: string,
  mark?: ThreadIdentity,
): Promise<void> {
  await context.threads.closeThread(caller, threadId, mark);
  await deleteCronsOf(context, caller, { threadId });
  await context.conversations.close(caller, threadId, context.options.closeTimeoutMs);
  await context.deliveries.recall(caller, threadId);
  await context.events.deleteThread(caller, threadId);
  await context.threads.deleteThread(caller, threadId);
}
