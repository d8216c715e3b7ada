import { v7 as uuid7 } from '@langchain/core/utils/uuid';
import { openQuestions } from '../../conversations/open-questions.js';
import { ifFound, type StreamMode } from '../../protocol/index.js';
import { inputRespondParams, runStartParams, type RunBody } from '../../protocol/schemas/index.js';
import { acceptRun } from '../../conversations/accept-run.js';
import type { ApiContext } from '../context.js';
import { parse } from '../http/validate.js';
import type { CommandHandler, CommandTarget } from './command.js';
import { refused } from './errors.js';
import { lastSeqOf } from './events.js';

/** What a run of this protocol records, in the words of the run API. */
const STREAM_MODES: StreamMode[] = ['values', 'updates', 'messages-tuple', 'custom', 'tasks', 'checkpoints'];

/** `run.start`: begins a run, makes the thread where there is none, and answers the open questions where the thread waits for that. */
export const startRun: CommandHandler = async (context, target, given) => {
  const params = parse(runStartParams, given, 'params');
  const { assistant_id, config, metadata, input } = params;
  const forks = Boolean(config?.configurable?.checkpoint_id);
  const answers = input !== undefined && input !== null && !forks && (await questionsOf(context, target)).length > 0;
  const { runId, appliedThrough } = await accept(context, target, {
    assistant_id,
    ...(answers ? { command: { resume: input } } : { input }),
    config,
    metadata,
    multitask_strategy: params.multitask_strategy ?? params.multitaskStrategy,
    if_not_exists: 'create',
  });
  return { result: { run_id: runId }, appliedThrough };
};

/** `input.respond`: answers one or several questions of an interrupted thread, all in one run. */
export const respond: CommandHandler = async (context, target, given) => {
  const params = parse(inputRespondParams, given, 'params');
  const answers = 'responses' in params ? params.responses : [params];
  const thread = await ifFound(context.threads.getThread(target.caller, target.threadId));
  const assistant = thread?.metadata['assistant_id'] ?? thread?.metadata['graph_id'];
  if (typeof assistant !== 'string')
    throw refused('no_such_run', `thread ${target.threadId} has had no run; call run.start first`);
  const open = await openQuestions(context, target.caller, thread);
  const unknown = answers.find(({ interrupt_id }) => !open.includes(interrupt_id));
  if (unknown) {
    const asked = open.length > 0 ? `open are ${open.join(', ')}` : 'no question is open';
    throw refused(
      'no_such_interrupt',
      `interrupt ${unknown.interrupt_id} is not open on thread ${target.threadId}: ${asked}`,
    );
  }
  const { update, goto, config, metadata, strict_resume } = params;
  const { appliedThrough } = await accept(context, target, {
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

/** Takes a run in whose events this protocol can tell. Events up to `appliedThrough` are from before it. */
export async function accept(
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

async function questionsOf(context: ApiContext, { caller, threadId }: CommandTarget): Promise<string[]> {
  return openQuestions(context, caller, await ifFound(context.threads.getThread(caller, threadId)));
}
