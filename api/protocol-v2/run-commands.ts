import { v7 as uuid7 } from '@langchain/core/utils/uuid';
import { openQuestions } from '../../conversations/open-questions.js';
import { ifFound, type StreamMode } from '../../protocol/index.js';
import { inputRespondParams, runStartParams, type RunBody } from '../../protocol/schemas/index.js';
import { acceptRun } from '../../conversations/accept-run.js';
import type { ApiContext } from '../context.js';
import { parse } from '../http/validate.js';
import type { CommandHandler, CommandTarget } from './command.js';
import { protocolError } from './errors.js';
import { lastSeqOf } from './events.js';

/** The stream modes that a run of protocol v2 records, under their names in the HTTP run API. */
const STREAM_MODES: StreamMode[] = ['values', 'updates', 'messages-tuple', 'custom', 'tasks', 'checkpoints'];

/**
 * `run.start`: starts a run. Creates the thread if it does not exist. If the thread has open
 * interrupts, the input of the command is the answer to them, unless the command names a checkpoint
 * to fork from.
 */
export const startRun: CommandHandler = async (context, target, rawParams) => {
  const params = parse(runStartParams, rawParams, 'params');
  const { assistant_id, config, metadata, input } = params;
  const forks = Boolean(config?.configurable?.checkpoint_id);
  const answers =
    input !== undefined && input !== null && !forks && (await openInterruptIds(context, target)).length > 0;
  const { runId, appliedThrough } = await acceptProtocolRun(context, target, {
    assistant_id,
    ...(answers ? { command: { resume: input } } : { input }),
    config,
    metadata,
    multitask_strategy: params.multitask_strategy ?? params.multitaskStrategy,
    if_not_exists: 'create',
  });
  return { result: { run_id: runId }, appliedThrough };
};

/** `input.respond`: answers one or more interrupts of a thread in one run. */
export const respond: CommandHandler = async (context, target, rawParams) => {
  const params = parse(inputRespondParams, rawParams, 'params');
  const answers = 'responses' in params ? params.responses : [params];
  const thread = await ifFound(context.threads.getThread(target.caller, target.threadId));
  const assistant = thread?.metadata['assistant_id'] ?? thread?.metadata['graph_id'];
  if (typeof assistant !== 'string')
    throw protocolError('no_such_run', `thread ${target.threadId} has no run yet; call run.start first`);
  const open = await openQuestions(context, target.caller, thread);
  const unknown = answers.find(({ interrupt_id }) => !open.includes(interrupt_id));
  if (unknown) {
    const hint = open.length > 0 ? `open are ${open.join(', ')}` : 'no interrupt is open';
    throw protocolError(
      'no_such_interrupt',
      `interrupt ${unknown.interrupt_id} is not open on thread ${target.threadId}: ${hint}`,
    );
  }
  const { update, goto, config, metadata, strict_resume } = params;
  const { appliedThrough } = await acceptProtocolRun(context, target, {
    assistant_id: assistant,
    command: {
      resume: Object.fromEntries(answers.map(({ interrupt_id, response }) => [interrupt_id, response ?? null])),
      update,
      goto,
    },
    config,
    metadata,
    strict_resume,
  });
  return { result: {}, appliedThrough };
};

/**
 * Accepts a run that records the events of protocol v2. Returns the run's id, and in
 * `appliedThrough` a sequence number that is lower than those of all protocol events of the run.
 */
export async function acceptProtocolRun(
  context: ApiContext,
  { caller, access, threadId, key }: CommandTarget,
  body: RunBody,
): Promise<{ runId: string; appliedThrough: number }> {
  const { run, afterSeq, admit, bound } = await acceptRun(context, {
    caller,
    access,
    threadId,
    runId: uuid7(),
    body: { ...body, stream_mode: STREAM_MODES, stream_subgraphs: true },
    streamVersion: 'v3',
    ...(key !== undefined && { key }),
  });
  await Promise.all([admit?.(), bound]);
  return { runId: run.runId, appliedThrough: lastSeqOf(afterSeq) };
}

async function openInterruptIds(context: ApiContext, { caller, threadId }: CommandTarget): Promise<string[]> {
  return openQuestions(context, caller, await ifFound(context.threads.getThread(caller, threadId)));
}
