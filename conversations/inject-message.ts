import { isDeepStrictEqual } from 'node:util';
import { v7 as uuid7 } from '@langchain/core/utils/uuid';
import { ColloquyError, errorCode, isEnded, type Caller, type Run, ifFound } from '../protocol/index.js';
import type { Access } from './access.js';
import { buildInjectedRun, type InjectedMessage } from './build-run.js';
import type { ConversationContext } from './context.js';
import { findThread, threadNotFound } from './find.js';

interface InjectionOrder {
  caller: Caller;
  access: Access;
  threadId: string;
  message: {
    role: InjectedMessage['role'];
    content: string;
    name?: string | null | undefined;
    /**
     * Id of the message. Default: derived from the idempotency key, or random if there is no key.
     */
    id?: string | null | undefined;
  };
  /** The idempotency key of the request. */
  key?: string | undefined;
}

/** Error codes with which a conversation answers if it has no active and no queued run. */
const NO_ACTIVE_RUN: readonly unknown[] = ['conflict', 'not_found', 'thread_closed'];

/**
 * Passes a chat message to the active run. If no run is active yet, the first queued run gets the
 * message. First stores the message as the input of a new run record, then passes the id of this
 * record to the conversation. So after the HTTP answer, the message is not lost if a process dies.
 *
 * If the active run succeeds before it takes the message, the message becomes a run. Of several
 * such messages, only the oldest becomes a run, and this run takes the others. If the active run
 * fails or is interrupted, the message waits for the next run. If the active run is rolled back,
 * the message is dropped.
 *
 * Returns the message id. Errors: `invalid_argument` (with the protocol name `no_such_run` if no
 * run is active or queued), `queue_full`, `unavailable`.
 */
export async function injectMessage(context: ConversationContext, order: InjectionOrder): Promise<string> {
  const { caller, threadId, key } = order;
  const thread = await ifFound(findThread(context, caller, threadId));
  if (thread === undefined) throw noSuchRun(threadNotFound(threadId));
  // Every process derives the same id from the same key.
  const runId = key === undefined ? uuid7() : context.deriveId(caller, 'injected message', threadId, key);
  const { role, content, name, id } = order.message;
  const message: InjectedMessage = { role, content, ...(name && { name }), id: id ?? runId };
  const stored = () => ifFound(context.threads.getRun(caller, threadId, runId, { admittedOnly: false }));
  const existing = key === undefined ? undefined : await stored();
  if (existing) checkSameMessage(existing, message, key);
  if (existing && existing.status !== 'pending') return messageIdOf(existing);
  const record = existing ?? (await storeMessage(context, order, runId, message));
  await handOver(context, order, record);
  const [working] = await context.threads.activeRuns(caller, threadId);
  if (working) await context.threads.steerRun(caller, threadId, working.runId);
  return messageIdOf(record);
}

async function storeMessage(
  context: ConversationContext,
  { caller, access, threadId }: InjectionOrder,
  runId: string,
  message: InjectedMessage,
): Promise<Run> {
  const active = await context.threads.activeRuns(caller, threadId);
  const working = active.find(({ status }) => status === 'running') ?? active[0];
  if (!working || isEnded(working.status)) throw noSuchRun(`thread ${threadId} has no working run`);
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
    if (code !== 'queue_full' && !NO_ACTIVE_RUN.includes(code)) throw error;
    await context.threads.discardRun(caller, threadId, runId);
    throw code === 'queue_full' ? error : noSuchRun(`thread ${threadId} has no working run`, error);
  }
}

function checkSameMessage(existing: Run, message: InjectedMessage, key: string | undefined): void {
  if (isDeepStrictEqual(existing.request.input, { messages: [message] })) return;
  throw new ColloquyError('invalid_argument', `Idempotency-Key ${key} belongs to another message`);
}

function messageIdOf({ request }: Run): string {
  const { messages } = request.input as { messages: InjectedMessage[] };
  return messages[0]?.id ?? '';
}

function noSuchRun(message: string, cause?: unknown): ColloquyError {
  return new ColloquyError('invalid_argument', message, { errorName: 'no_such_run', cause });
}
