import { ColloquyError, errorCode, isNetworkError, type Caller, type Thread } from '../protocol/index.js';
import type { ConversationContext } from './context.js';

/** Number of threads whose states are read at the same time. */
const PARALLEL_READS = 8;
/**
 * Maximum number of threads that a process remembers as reported (see `reportOnce`). When there are
 * more, it forgets all of them.
 */
const MAX_REPORTED = 10_000;
/**
 * Codes of the errors for a thread whose graph is not served any more or does not load. Such errors
 * are not reported, because the operator knows of them. Callers still see the thread, but without
 * values.
 */
const EXPECTED: readonly unknown[] = ['not_found', 'graph_failed'];
/**
 * Codes of errors whose cause is not the thread's state. The same read may succeed in the next
 * request, or for another caller.
 */
const UNRELATED_TO_STATE: readonly unknown[] = ['unavailable', 'forbidden', 'unauthenticated'];

/**
 * Returns the id of the graph that reads the thread's state: the graph of its last run, or the one
 * that a client has set in `metadata.graph_id`. Returns undefined if there is neither.
 */
export function graphOf(thread: Thread): string | undefined {
  const graphId = thread.metadata['graph_id'];
  return typeof graphId === 'string' ? graphId : undefined;
}

/**
 * Returns the values of a thread's newest state. Returns null if no graph is known or the state
 * cannot be read, so that a list with such a thread can still be read. Errors: `unavailable`,
 * `forbidden`, `unauthenticated`.
 */
export async function threadValues(context: ConversationContext, caller: Caller, thread: Thread): Promise<unknown> {
  const graphId = graphOf(thread);
  if (graphId === undefined) return null;
  try {
    const state = await context.states.getState(caller, graphId, thread.threadId);
    return state.checkpoint?.checkpoint_id ? state.values : null;
  } catch (error) {
    if (EXPECTED.includes(errorCode(error))) return null;
    if (!isStateError(error)) throw error;
    reportOnce(context, thread.threadId, error);
    return null;
  }
}

/**
 * Returns the state that the promise `state` resolves to. If the promise rejects with an error that
 * has a code, or with a network error, this error is thrown. Any other error means that the state
 * cannot be read. Then an error that names the thread is thrown instead.
 */
export async function orUnreadable<T>(state: Promise<T>, threadId: string): Promise<T> {
  try {
    return await state;
  } catch (error) {
    if (errorCode(error) !== undefined || !isStateError(error)) throw error;
    throw unreadable(threadId, error);
  }
}

function isStateError(error: unknown): boolean {
  return !UNRELATED_TO_STATE.includes(errorCode(error)) && !isNetworkError(error);
}

const reported = new WeakMap<ConversationContext, Set<string>>();

/**
 * Reports to the log that a thread's state cannot be read. Reports each thread only once, because
 * clients request lists of threads again and again.
 */
function reportOnce(context: ConversationContext, threadId: string, error: unknown): void {
  const threads = reported.get(context) ?? new Set();
  reported.set(context, threads);
  if (threads.has(threadId)) return;
  if (threads.size >= MAX_REPORTED) threads.clear();
  threads.add(threadId);
  context.report(unreadable(threadId, error), 'values of a thread');
}

/**
 * Creates the error that says that the state of a thread cannot be read. The new error contains
 * only the code or the name of the original error, because its message may quote the state.
 */
function unreadable(threadId: string, error: unknown): ColloquyError {
  const name = errorCode(error) ?? (error instanceof Error ? error.name : typeof error);
  return new ColloquyError('graph_failed', `the state of thread ${threadId} cannot be read (${name})`);
}

export async function valuesOfThreads(
  context: ConversationContext,
  caller: Caller,
  threads: Thread[],
): Promise<unknown[]> {
  const values: unknown[] = [];
  let next = 0;
  const readers = Array.from({ length: PARALLEL_READS }, async () => {
    for (let index = next++; index < threads.length; index = next++) {
      const thread = threads[index];
      if (thread) values[index] = await threadValues(context, caller, thread);
    }
  });
  await Promise.all(readers);
  return values;
}

/**
 * Returns true if `whole` contains `part`. An object must contain each key of `part`, with a value
 * that contains the value in `part`. A list must contain each element of `part`. Other values must
 * be equal.
 */
export function containsValues(whole: unknown, part: unknown): boolean {
  if (Array.isArray(part)) {
    return Array.isArray(whole) && part.every((wanted) => whole.some((element) => containsValues(element, wanted)));
  }
  if (typeof part === 'object' && part !== null) {
    if (typeof whole !== 'object' || whole === null || Array.isArray(whole)) return false;
    return Object.entries(part).every(
      ([key, wanted]) => Object.hasOwn(whole, key) && containsValues((whole as Record<string, unknown>)[key], wanted),
    );
  }
  return whole === part;
}
