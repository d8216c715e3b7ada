import type { CheckpointRef } from '../../protocol/index.js';
import { listCheckpointsParams, stateForkParams, stateGetParams } from '../../protocol/schemas/index.js';
import type { ThreadState } from '../../steps/ports.js';
import type { ApiContext } from '../context.js';
import { findThread, threadNotFound } from '../../conversations/find.js';
import { graphOf } from '../../conversations/thread-values.js';
import { parse } from '../http/validate.js';
import type { CommandHandler, CommandTarget } from './command.js';
import { orProtocolError, protocolError } from './errors.js';
import { isRecord, lastSeqOf } from './events.js';
import { acceptProtocolRun } from './run-commands.js';

const DEFAULT_PAGE = 10;

/**
 * `state.get`: returns the newest state of a namespace. If the command has `keys`, returns only
 * these keys of the state.
 */
export const getState: CommandHandler = async (context, target, rawParams) => {
  const { namespace, keys } = parse(stateGetParams, rawParams, 'params');
  const checkpoint = inNamespace(namespace);
  const [state, appliedThrough] = await Promise.all([
    readState(context, target, checkpoint, 'no_such_namespace', `namespace ${JSON.stringify(namespace)}`),
    appliedSeq(context, target),
  ]);
  const values = isRecord(state.values) ? state.values : {};
  const shown = keys ? Object.fromEntries(Object.entries(values).filter(([key]) => keys.includes(key))) : state.values;
  const checkpointId = state.checkpoint?.checkpoint_id
    ? { id: state.checkpoint.checkpoint_id, ns: state.checkpoint.checkpoint_ns }
    : undefined;
  return { result: { values: shown, ...(checkpointId && { checkpoint: checkpointId }) }, appliedThrough };
};

/** `state.listCheckpoints`: returns the checkpoints of a namespace, newest first. */
export const listCheckpoints: CommandHandler = async (context, target, rawParams) => {
  const { namespace, limit, before } = parse(listCheckpointsParams, rawParams, 'params');
  const { caller, threadId } = target;
  const thread = await orProtocolError(findThread(context, caller, threadId), 'no_such_run', threadNotFound(threadId));
  const page = limit ?? DEFAULT_PAGE;
  const checkpoint = inNamespace(namespace);
  const [states, appliedThrough] = await Promise.all([
    context.states.getHistory(caller, graphOf(thread), threadId, {
      // Reads one checkpoint more than the client gets. To know which node created a checkpoint,
      // `summary` needs `next` of the checkpoint before it.
      limit: page + 1,
      ...(before && { before: { checkpointId: before } }),
      ...(checkpoint && { checkpoint }),
    }),
    appliedSeq(context, target),
  ]);
  const checkpoints = states.slice(0, page).flatMap((state, index) => summary(state, states[index + 1]));
  return { result: { checkpoints }, appliedThrough };
};

/**
 * `state.fork`: starts a run on the same thread from an earlier checkpoint. The later checkpoints
 * stay in the thread's history.
 */
export const forkState: CommandHandler = async (context, target, rawParams) => {
  const { checkpoint_id: checkpointId, input, config } = parse(stateForkParams, rawParams, 'params');
  const { caller, threadId } = target;
  const thread = await orProtocolError(findThread(context, caller, threadId), 'no_such_run', threadNotFound(threadId));
  const assistant = thread.metadata['assistant_id'] ?? thread.metadata['graph_id'];
  if (typeof assistant !== 'string') throw protocolError('no_such_run', `thread ${threadId} has no run yet`);
  const { runId, appliedThrough } = await acceptProtocolRun(context, target, {
    assistant_id: assistant,
    input: input ?? null,
    checkpoint_id: checkpointId,
    config,
  });
  return { result: { run_id: runId, thread_id: threadId }, appliedThrough };
};

async function readState(
  context: ApiContext,
  { caller, threadId }: CommandTarget,
  checkpoint: CheckpointRef | undefined,
  code: 'no_such_namespace' | 'no_such_checkpoint',
  what: string,
): Promise<ThreadState> {
  const thread = await orProtocolError(findThread(context, caller, threadId), 'no_such_run', threadNotFound(threadId));
  const read = context.states.getState(caller, graphOf(thread), threadId, checkpoint && { checkpoint });
  const missing = `thread ${threadId} has no ${what}`;
  const state = await orProtocolError(read, code, missing);
  if (checkpoint !== undefined && !state.checkpoint?.checkpoint_id) throw protocolError(code, missing);
  return state;
}

function inNamespace(namespace: string[] | null | undefined): CheckpointRef | undefined {
  return namespace && namespace.length > 0 ? { checkpointNs: namespace.join('|') } : undefined;
}

async function appliedSeq(context: ApiContext, { caller, threadId }: CommandTarget): Promise<number> {
  return lastSeqOf(await context.events.tail(caller, threadId));
}

function summary(state: ThreadState, before: ThreadState | undefined): object[] {
  const id = state.checkpoint?.checkpoint_id;
  if (!id) return [];
  const step = state.metadata?.['step'];
  const [node, ...others] = before?.next ?? [];
  const isStep = state.metadata?.['source'] === 'loop';
  return [
    {
      id,
      timestamp: state.created_at,
      step: typeof step === 'number' ? step : 0,
      ...(isStep && node !== undefined && others.length === 0 && { node_name: node }),
      ...(state.metadata && { metadata: state.metadata }),
    },
  ];
}
