import type { z } from 'zod';
import {
  ColloquyError,
  STATE_UPDATE_EVENT,
  type Caller,
  type CheckpointRef,
  type Interrupt,
  type RunCommand,
  type Thread,
} from '../protocol/index.js';
import type { threadCreate } from '../protocol/schemas/index.js';
import type { StateUpdate, ThreadState, WireCheckpoint } from '../steps/ports.js';
import type { SettledState } from '../threads/index.js';
import type { Viewer } from './access.js';
import type { ConversationContext } from './context.js';
import { assertCheckpoint, findThread, findVisibleThread, orNotFound, threadNotFound } from './find.js';
import { graphOf } from './thread-values.js';

type Supersteps = NonNullable<z.infer<typeof threadCreate>['supersteps']>;

/** The graph to write a thread's state with. Errors: `conflict` while a run works, `invalid_argument` before the first run. */
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
 * Writes values as if a node had; the conversation and all who follow the thread hear of it.
 * Errors: `not_found` (thread, checkpoint), `conflict` while a run works, `invalid_argument`.
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
  await tellEdit(context, caller, graphId, threadId);
  return updated;
}

/**
 * Gives a thread without state the state that supersteps make. A thread that has one keeps it, so that a request which comes again does
 * nothing again.
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
  await tellEdit(context, caller, graphId, threadId);
}

/** Errors: `not_found` where another thread has the id by now. */
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
    ...(command ? { command: withoutNulls(command) } : { values: values ?? null }),
  }));
}

function withoutNulls(command: object): RunCommand {
  return Object.fromEntries(Object.entries(command).filter(([, value]) => value !== null && value !== undefined));
}

/** After an edit: the thread's record says how it stands, and its conversation and whoever follows the thread hear of it. */
async function tellEdit(
  context: ConversationContext,
  caller: Caller,
  graphId: string,
  threadId: string,
): Promise<void> {
  const { interrupts } = await findThread(context, caller, threadId);
  const state = await settle(context, caller, graphId, threadId);
  await tellConversation(context, caller, threadId, { asked: Object.values(interrupts).flat(), state });
  const data = JSON.stringify({ state, thread_id: threadId });
  await context.events.append(caller, threadId, { ns: '', event: STATE_UPDATE_EVENT, data });
}

/** Where it cannot be told, the run of a default answer is refused by the worker, which looks at the state once more. */
async function tellConversation(
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

/** Makes the record say how the thread's state stands. Answers that state. */
export async function settle(
  context: ConversationContext,
  caller: Caller,
  graphId: string,
  threadId: string,
): Promise<ThreadState> {
  const state = await context.states.getState(caller, graphId, threadId);
  await context.threads.settleThread(caller, threadId, standingOf(state));
  return state;
}

/** How a thread with this state stands when no run works on it. */
export function standingOf(state: ThreadState): SettledState {
  const asked = state.tasks.filter(({ interrupts }) => interrupts.length > 0);
  const interrupts = Object.fromEntries(asked.map((task) => [task.id, task.interrupts])) as Record<string, Interrupt[]>;
  return { status: statusOf(state), interrupts };
}
