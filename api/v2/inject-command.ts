import { isDeepStrictEqual } from 'node:util';
import { v7 as uuid7 } from '@langchain/core/utils/uuid';
import { errorCode, isEnded, type Run } from '../../protocol/index.js';
import { inputInjectParams } from '../../protocol/schemas/index.js';
import type { NewRun } from '../../threads/index.js';
import type { Access } from '../auth/access.js';
import type { ApiContext } from '../context.js';
import { findThread, threadNotFound } from '../find.js';
import { parse } from '../validate.js';
import type { CommandHandler, CommandPlace } from './commands.js';
import { orRefused, refused } from './errors.js';
import { lastSeqOf } from './events.js';

/** The message, as graphs take it. */
interface InjectedMessage {
  role: 'user' | 'system';
  content: string;
  name?: string;
  id: string;
}

/**
 * `input.inject`: a message for the turn that works. Stored, then handed over by its id, so that it outlives any process from the moment this
 * answers with success.
 */
export const inject: CommandHandler = async (context, place, given) => {
  const { namespace, message } = parse(inputInjectParams, given, 'params');
  if (namespace && namespace.length > 0) {
    throw refused('not_supported', `namespace ${JSON.stringify(namespace)}: only the root of a run takes messages`);
  }
  const { caller, threadId, key } = place;
  await orRefused(findThread(context, caller, threadId), 'no_such_run', threadNotFound(threadId));
  const appliedThrough = lastSeqOf(await context.events.tail(caller, threadId));
  // The same key is the same message, by whichever process it comes.
  const runId = key === undefined ? uuid7() : context.deriveId(caller, 'injected message', threadId, key);
  const { role, content, name, id } = message;
  const wanted: InjectedMessage = { role, content, ...(name && { name }), id: id ?? runId };
  const known = key === undefined ? undefined : await findMessage(context, place, runId);
  if (known) checkSameMessage(known, wanted, key);
  if (known && known.status !== 'pending') return { result: resultOf(known), appliedThrough };
  const record = known ?? (await store(context, place, runId, wanted));
  await handOver(context, place, record);
  const [working] = await context.threads.activeRuns(caller, threadId);
  if (working) await context.threads.steerRun(caller, threadId, working.runId);
  return { result: resultOf(record), appliedThrough };
};

/** What becomes a run of its own if the turn that works ends without the message, with all that this turn was asked. */
async function store(context: ApiContext, place: CommandPlace, runId: string, message: InjectedMessage): Promise<Run> {
  const { caller, access, threadId } = place;
  const active = await context.threads.activeRuns(caller, threadId);
  const working = active.find(({ status }) => status === 'running') ?? active[0];
  if (!working || isEnded(working.status)) throw refused('no_such_run', `thread ${threadId} has no run at work`);
  const { graphId } = working;
  if (!(await context.graphs.takesMessages(caller, graphId, working.request.config))) {
    const problem = `graph ${graphId} takes no messages while it runs: it has no channel "messages" with a reducer`;
    throw refused('invalid_argument', problem);
  }
  const { run } = await context.threads.createRun(caller, recordOf(working, runId, message, access));
  return run;
}

function recordOf(working: Run, runId: string, message: InjectedMessage, { userConfig }: Access): NewRun {
  const { threadId, assistantId, graphId, metadata, request } = working;
  const { config, context, streamModes, streamSubgraphs, streamVersion, interruptBefore, interruptAfter } = request;
  return {
    threadId,
    runId,
    assistantId,
    graphId,
    multitaskStrategy: 'enqueue',
    metadata,
    waitsForTurn: true,
    request: {
      input: { messages: [message] },
      // If the message becomes a run of its own, that run belongs to its sender, not to the owner of the run at work.
      config: { ...config, configurable: { ...config.configurable, ...userConfig, run_id: runId } },
      ...(context !== undefined && { context }),
      streamModes,
      streamSubgraphs,
      ...(streamVersion && { streamVersion }),
      ...(interruptBefore && { interruptBefore }),
      ...(interruptAfter && { interruptAfter }),
    },
  };
}

async function handOver(context: ApiContext, { caller, threadId }: CommandPlace, record: Run): Promise<void> {
  const { runId, graphId, assistantId } = record;
  try {
    await context.conversations.inject(caller, threadId, { runId, graphId, assistantId });
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'conflict' && code !== 'not_found' && code !== 'queue_full' && code !== 'thread_closed') throw error;
    await context.threads.discardRun(caller, threadId, runId);
    if (code === 'queue_full') throw error;
    throw refused('no_such_run', `thread ${threadId} has no run at work`);
  }
}

async function findMessage(context: ApiContext, place: CommandPlace, runId: string): Promise<Run | undefined> {
  try {
    return await context.threads.getRun(place.caller, place.threadId, runId, { admittedOnly: false });
  } catch (error) {
    if (errorCode(error) !== 'not_found') throw error;
    return undefined;
  }
}

function checkSameMessage(known: Run, wanted: InjectedMessage, key: string | undefined): void {
  if (isDeepStrictEqual(known.request.input, { messages: [wanted] })) return;
  throw refused('invalid_argument', `Idempotency-Key ${key} belongs to another message`);
}

function resultOf({ request }: Run): object {
  const { messages } = request.input as { messages: InjectedMessage[] };
  return { message_id: messages[0]?.id };
}
