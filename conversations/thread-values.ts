import { ColloquyError, errorCode, isNetworkError, type Caller, type Thread } from '../protocol/index.js';
import type { ConversationContext } from './context.js';

/** States read at once. */
const PARALLEL_READS = 8;
/** Threads whose unreadable state was reported, per process. */
const MOST_REPORTED = 10_000;
/** A graph that is not served any more, or does not load: the operator knows, and the caller sees the thread all the same. */
const EXPECTED: readonly unknown[] = ['not_found', 'graph_failed'];
/** The next request may succeed, or another caller's. */
const NOT_OF_THE_STATE: readonly unknown[] = ['unavailable', 'forbidden', 'unauthenticated'];

/** The graph of a thread's last run, where it had one. */
export function graphOf(thread: Thread): string | undefined {
  const graphId = thread.metadata['graph_id'];
  return typeof graphId === 'string' ? graphId : undefined;
}

/**
 * The values of a thread's newest state. Null if the thread never ran, or if its state cannot be
 * read: one such thread must not break a list that has it. Errors: an outage, a refusal.
 */
export async function valuesOf(context: ConversationContext, caller: Caller, thread: Thread): Promise<unknown> {
  const graphId = graphOf(thread);
  if (graphId === undefined) return null;
  try {
    const state = await context.states.getState(caller, graphId, thread.threadId);
    return state.checkpoint?.checkpoint_id ? state.values : null;
  } catch (error) {
    if (EXPECTED.includes(errorCode(error))) return null;
    if (!isOfTheState(error)) throw error;
    reportOnce(context, thread.threadId, error);
    return null;
  }
}

/** Resolves to the state. An error without a code of ours is replaced by one that names the thread. */
export async function orUnreadable<T>(state: Promise<T>, threadId: string): Promise<T> {
  try {
    return await state;
  } catch (error) {
    if (errorCode(error) !== undefined || !isOfTheState(error)) throw error;
    throw unreadable(threadId, error);
  }
}

function isOfTheState(error: unknown): boolean {
  return !NOT_OF_THE_STATE.includes(errorCode(error)) && !isNetworkError(error);
}

const reported = new WeakMap<ConversationContext, Set<string>>();

/** Once for each thread: a list that is polled would otherwise repeat the report. */
function reportOnce(context: ConversationContext, threadId: string, error: unknown): void {
  const threads = reported.get(context) ?? new Set();
  reported.set(context, threads);
  if (threads.has(threadId)) return;
  if (threads.size >= MOST_REPORTED) threads.clear();
  threads.add(threadId);
  context.report(unreadable(threadId, error), 'values of a thread');
}

/** Leaves out the error's message and the error itself, since both may quote the state. */
function unreadable(threadId: string, error: unknown): ColloquyError {
  const name = errorCode(error) ?? (error instanceof Error ? error.name : typeof error);
  return new ColloquyError('graph_failed', `the state of thread ${threadId} cannot be read (${name})`);
}

export async function valuesOfAll(context: ConversationContext, caller: Caller, threads: Thread[]): Promise<unknown[]> {
  const values: unknown[] = [];
  let next = 0;
  const readers = Array.from({ length: PARALLEL_READS }, async () => {
    for (let index = next++; index < threads.length; index = next++) {
      const thread = threads[index];
      if (thread) values[index] = await valuesOf(context, caller, thread);
    }
  });
  await Promise.all(readers);
  return values;
}

/** Whether a state has all that is asked for: an object some keys of another, a list some of its elements, anything else the same. */
export function contains(whole: unknown, part: unknown): boolean {
  if (Array.isArray(part)) {
    return Array.isArray(whole) && part.every((wanted) => whole.some((one) => contains(one, wanted)));
  }
  if (typeof part === 'object' && part !== null) {
    if (typeof whole !== 'object' || whole === null || Array.isArray(whole)) return false;
    return Object.entries(part).every(
      ([key, wanted]) => Object.hasOwn(whole, key) && contains((whole as Record<string, unknown>)[key], wanted),
    );
  }
  return whole === part;
}
