import { ColloquyError, errorCode, isNetworkError, type Caller, type Thread } from '../protocol/index.js';
import type { ConversationContext } from './context.js';

/** Number of states read in parallel. */
const PARALLEL_READS = 8;
/** Number of threads per process whose unreadable state is remembered as reported. */
const MAX_REPORTED = 10_000;
/**
 * The graph is not served any more or does not load. The operator knows this, and callers still see
 * the thread.
 */
const EXPECTED: readonly unknown[] = ['not_found', 'graph_failed'];
/** The error is not caused by the state: the next request, or another caller's, may succeed. */
const UNRELATED_TO_STATE: readonly unknown[] = ['unavailable', 'forbidden', 'unauthenticated'];

/** Returns the graph of the thread's last run, if it had one. */
export function graphOf(thread: Thread): string | undefined {
  const graphId = thread.metadata['graph_id'];
  return typeof graphId === 'string' ? graphId : undefined;
}

/**
 * Returns the values of a thread's newest state. Returns null if the thread never ran or its state
 * cannot be read, so that one such thread does not break a list. Errors: `unavailable`,
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

/** Resolves to the state. Replaces an error without a code by one that names the thread. */
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

/** Reports each thread once, because clients poll lists. */
function reportOnce(context: ConversationContext, threadId: string, error: unknown): void {
  const threads = reported.get(context) ?? new Set();
  reported.set(context, threads);
  if (threads.has(threadId)) return;
  if (threads.size >= MAX_REPORTED) threads.clear();
  threads.add(threadId);
  context.report(unreadable(threadId, error), 'values of a thread');
}

/** Omits the original error and its message, because both may quote the state. */
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
 * Returns true if a value contains a part. An object contains some of its keys, a list some of its
 * elements; other values must be equal.
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
