import { isDeepStrictEqual } from 'node:util';
import { v7 as uuid7 } from '@langchain/core/utils/uuid';
import { ColloquyError, errorCode, isEnded, type Caller, type Run, ifFound } from '../protocol/index.js';
import type { Access } from './access.js';
import { buildInjectedRun, type InjectedMessage } from './build-run.js';
import type { ConversationContext } from './context.js';
import { findThread, threadNotFound } from './find.js';

export interface InjectionOrder {
  caller: Caller;
  access: Access;
  threadId: string;
  message: {
    role: InjectedMessage['role'];
    content: string;
    name?: string | null | undefined;
    /** Default: made from the key, else random. */
    id?: string | null | undefined;
  };
  /** Idempotency key of the request. */
  key?: string | undefined;
}

/** Why the conversation did not take a message: no run of the thread can. */
const NOT_AT_WORK: readonly unknown[] = ['conflict', 'not_found', 'thread_closed'];

/**
 * Hands a message to the run at work. It is stored first and handed over by its id, so no process can lose it once this has
 * answered. If the run ends without it, it becomes a run of its own. Answers the message's id.
 * Errors: `invalid_argument` (protocol name `no_such_run` if no run works), `queue_full`, `unavailable`.
 */
export async function injectMessage(context: ConversationContext, order: InjectionOrder): Promise<string> {
  const { caller, threadId, key } = order;
  const thread = await ifFound(findThread(context, caller, threadId));
  if (thread === undefined) throw noSuchRun(threadNotFound(threadId));
  // Every process makes the same id of the same key.
  const runId = key === undefined ? uuid7() : context.deriveId(caller, 'injected message', threadId, key);
  const { role, content, name, id } = order.message;
  const message: InjectedMessage = { role, content, ...(name && { name }), id: id ?? runId };
  const stored = () => ifFound(context.threads.getRun(caller, threadId, runId, { admittedOnly: false }));
  const known = key === undefined ? undefined : await stored();
  if (known) checkSameMessage(known, message, key);
  if (known && known.status !== 'pending') return messageIdOf(known);
  const record = known ?? (await store(context, order, runId, message));
  await handOver(context, order, record);
  const [working] = await context.threads.activeRuns(caller, threadId);
  if (working) await context.threads.steerRun(caller, threadId, working.runId);
  return messageIdOf(record);
}

async function store(
  context: ConversationContext,
  { caller, access, threadId }: InjectionOrder,
  runId: string,
  message: InjectedMessage,
): Promise<Run> {
  const active = await context.threads.activeRuns(caller, threadId);
  const working = active.find(({ status }) => status === 'running') ?? active[0];
  if (!working || isEnded(working.status)) throw noSuchRun(`thread ${threadId} has no run at work`);
  const { graphId } = working;
  if (!(await context.graphs.takesMessages(caller, graphId, working.request.config))) {
    const problem = `graph ${graphId} takes no messages while it runs: it has no channel "messages" with a reducer`;
    throw new ColloquyError('invalid_argument', problem);
  }
  const { run } = await context.threads.createRun(caller, buildInjectedRun(working, runId, message, access));
  return run;
}

async function handOver(
  context: ConversationContext,
  { caller, threadId }: InjectionOrder,
  record: Run,
): Promise<void> {
  const { runId, graphId, assistantId } = record;
  try {
    await context.conversations.inject(caller, threadId, { runId, graphId, assistantId });
  } catch (error) {
    const code = errorCode(error);
    if (code !== 'queue_full' && !NOT_AT_WORK.includes(code)) throw error;
    await context.threads.discardRun(caller, threadId, runId);
    throw code === 'queue_full' ? error : noSuchRun(`thread ${threadId} has no run at work`, error);
  }
}

function checkSameMessage(known: Run, message: InjectedMessage, key: string | undefined): void {
  if (isDeepStrictEqual(known.request.input, { messages: [message] })) return;
  throw new ColloquyError('invalid_argument', `Idempotency-Key ${key} belongs to another message`);
}

function messageIdOf({ request }: Run): string {
  const { messages } = request.input as { messages: InjectedMessage[] };
  return messages[0]?.id ?? '';
}

function noSuchRun(message: string, cause?: unknown): ColloquyError {
  return new ColloquyError('invalid_argument', message, { errorName: 'no_such_run', cause });
}
