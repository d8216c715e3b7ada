import { errorCode, type Caller, type Thread } from '../protocol/index.js';
import type { ApiContext } from './context.js';

/** States read at once. */
const PARALLEL_READS = 8;
/** A graph that is not served any more, or does not load, shows no state of its threads; the threads are shown all the same. */
const UNREADABLE: readonly unknown[] = ['not_found', 'graph_failed'];

/** The graph of a thread's last run, where it had one. */
export function graphOf(thread: Thread): string | undefined {
  const graphId = thread.metadata['graph_id'];
  return typeof graphId === 'string' ? graphId : undefined;
}

/** State of a thread at its head; null for one that never ran, and for one whose graph cannot read it. */
export async function valuesOf(context: ApiContext, caller: Caller, thread: Thread): Promise<unknown> {
  const graphId = graphOf(thread);
  if (graphId === undefined) return null;
  try {
    const state = await context.states.getState(caller, graphId, thread.threadId);
    return state.checkpoint?.checkpoint_id ? state.values : null;
  } catch (error) {
    if (UNREADABLE.includes(errorCode(error))) return null;
    throw error;
  }
}

export async function valuesOfAll(context: ApiContext, caller: Caller, threads: Thread[]): Promise<unknown[]> {
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
