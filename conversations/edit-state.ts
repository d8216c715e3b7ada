import type { z } from 'zod';
import {
  ColloquyError,
  STATE_UPDATE_EVENT,
  type Caller,
  type CheckpointRef,
  type Interrupt,
  type RunCommand,
  type Thread,
  withoutNulls,
} from '../protocol/index.js';
import type { threadCreate } from '../protocol/schemas/index.js';
import type { StateUpdate, ThreadState, WireCheckpoint } from '../steps/ports.js';
import type { SettledState } from '../threads/index.js';
import type { Viewer } from './access.js';
import type { ConversationContext } from './context.js';
import { assertCheckpoint, findThread, findVisibleThread, orNotFound, threadNotFound } from './find.js';
import { graphOf } from './thread-values.js';

type Supersteps = NonNullable<z.infer<typeof threadCreate>['supersteps']>;

/**
 * Returns the id of the thread's graph, which is needed to edit the thread's state. Errors:
 * `conflict` if a run of the thread is active or waits; `invalid_argument` if the thread's metadata
 * have no `graph_id`. The first run of a thread sets `graph_id`.
 */
async function idleGraph(context: ConversationContext, caller: Caller, thread: Thread): Promise<string> {
  const { threadId } = thread;
  const active = await orNotFound(context.threads.activeRuns(caller, threadId), threadNotFound(threadId));
  const [busy] = active;
  if (busy)
    throw new ColloquyError('conflict', `Thread is busy: ${threadId} has run ${busy.runId}, which is ${busy.status}`);
  const graphId = graphOf(thread);
  if (graphId !== undefined) return graphId;
  throw new ColloquyError(
    'invalid_argument',
    `Thread ${threadId} has no graph ID; run it once, or set metadata.graph_id`,
  );
}

/**
 * Writes values into a thread's state, as if a node had returned them. Then updates everything that
 * depends on the state (see `publishEdit`). Errors: `not_found` (thread, checkpoint), `conflict` if
 * a run is active or waits, `invalid_argument`.
 */
export async function editState(
  context: ConversationContext,
  viewer: Viewer,
  threadId: string,
  update: { values: unknown; asNode?: string; checkpoint?: CheckpointRef },
): Promise<{ checkpoint: WireCheckpoint }> {
  const { caller } = viewer;
  const thread = await findVisibleThread(context, viewer, threadId);
  const graphId = await idleGraph(context, caller, thread);
  await assertCheckpoint(context, caller, threadId, update.checkpoint);
  const updated = await context.states.updateState(caller, graphId, threadId, update);
  await publishEdit(context, caller, graphId, threadId);
  return updated;
}

/**
 * Creates the state of a new thread from supersteps that a client sent. Each superstep contains
 * updates, which are written as if nodes had returned them. If the thread has a state already, does
 * nothing, so that a repeated request has no effect.
 */
export async function applySupersteps(
  context: ConversationContext,
  caller: Caller,
  thread: Thread,
  supersteps: Supersteps,
): Promise<void> {
  const { threadId } = thread;
  const graphId = await idleGraph(context, caller, thread);
  const { checkpoint } = await context.states.getState(caller, graphId, threadId);
  if (checkpoint?.checkpoint_id) return;
  await findSameThread(context, caller, thread);
  await context.states.updateStates(caller, graphId, threadId, supersteps.map(updatesOf));
  await publishEdit(context, caller, graphId, threadId);
}

/**
 * Reads the record of a thread again. Errors: `not_found` if the thread was deleted in the
 * meantime, even if a new thread has the same id.
 */
export async function findSameThread(
  context: ConversationContext,
  caller: Caller,
  { threadId, createdAt }: Thread,
): Promise<Thread> {
  const found = await findThread(context, caller, threadId);
  if (found.createdAt.getTime() === createdAt.getTime()) return found;
  throw new ColloquyError('not_found', threadNotFound(threadId));
}

function updatesOf({ updates }: Supersteps[number]): StateUpdate[] {
  return updates.map(({ values, command, as_node: asNode }) => ({
    asNode,
    ...(command ? { command: withoutNulls(command) as RunCommand } : { values: values ?? null }),
  }));
}

/**
 * Updates the record of a thread after an edit of its state. Then tells the thread's workflow which
 * questions the edit closed, and appends an event for clients that stream the thread.
 */
async function publishEdit(
  context: ConversationContext,
  caller: Caller,
  graphId: string,
  threadId: string,
): Promise<void> {
  const { interrupts } = await findThread(context, caller, threadId);
  const state = await settleThread(context, caller, graphId, threadId);
  await notifyConversation(context, caller, threadId, { asked: Object.values(interrupts).flat(), state });
  const data = JSON.stringify({ state, thread_id: threadId });
  await context.events.append(caller, threadId, { ns: '', event: STATE_UPDATE_EVENT, data });
}

/**
 * Tells the workflow of a thread which questions an edit of the state closed. If this call fails,
 * the workflow may start a run with the default answer of a closed question at the question's
 * deadline. The worker refuses this run, because it reads the state again and finds the question
 * closed.
 */
async function notifyConversation(
  context: ConversationContext,
  caller: Caller,
  threadId: string,
  { asked, state }: { asked: Interrupt[]; state: ThreadState },
): Promise<void> {
  const open = new Set(state.interrupts.map(({ id }) => id));
  const closed = asked.flatMap(({ id }) => (id === undefined || open.has(id) ? [] : [id]));
  if (closed.length === 0) return;
  const edit = { closed, status: statusOf(state) };
  await context.conversations.edited(caller, threadId, edit).catch((error: unknown) => context.report(error, 'edit'));
}

function statusOf({ next }: ThreadState): 'interrupted' | 'idle' {
  return next.length > 0 ? 'interrupted' : 'idle';
}

/**
 * Reads the state of a thread, and makes the status and interrupts in its record agree with the
 * state. Returns the state.
 */
export async function settleThread(
  context: ConversationContext,
  caller: Caller,
  graphId: string,
  threadId: string,
): Promise<ThreadState> {
  const state = await context.states.getState(caller, graphId, threadId);
  await context.threads.settleThread(caller, threadId, standingOf(state));
  return state;
}

/**
 * Returns the status and the open interrupts of a thread that has this state and no active run.
 */
export function standingOf(state: ThreadState): SettledState {
  const asked = state.tasks.filter(({ interrupts }) => interrupts.length > 0);
  const interrupts = Object.fromEntries(asked.map((task) => [task.id, task.interrupts])) as Record<string, Interrupt[]>;
  return { status: statusOf(state), interrupts };
}
