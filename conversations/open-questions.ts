import { isEnded, type Caller, type Thread } from '../protocol/index.js';
import type { ConversationContext } from './context.js';

/**
 * Returns the ids of a thread's open interrupts. Returns an empty list if a run is active, because
 * that run may be answering the interrupts.
 */
export async function openQuestions(
  context: ConversationContext,
  caller: Caller,
  thread: Thread | undefined,
): Promise<string[]> {
  const asked = Object.values(thread?.interrupts ?? {}).flat();
  if (thread === undefined || asked.length === 0) return [];
  const active = await context.threads.activeRuns(caller, thread.threadId);
  return active.every(({ status }) => isEnded(status)) ? asked.flatMap(({ id }) => (id === undefined ? [] : [id])) : [];
}
