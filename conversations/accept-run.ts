import { isDeepStrictEqual } from 'node:util';
import pRetry from 'p-retry';
import {
  ColloquyError,
  STATELESS_METADATA,
  errorCode,
  isEnded,
  type Assistant,
  type Caller,
  type ErrorCode,
  type Run,
  type Thread,
  ifFound,
} from '../protocol/index.js';
import type { SubmitRun, Submitted } from '../workflows/contract.js';
import type { ConversationContext } from './context.js';
import { assertCheckpoint, findUsableAssistant, locateRun, threadNotFound } from './find.js';
import { buildRun, inputOf, runCheckpoint, type RunOrder } from './build-run.js';

export interface AcceptedRun {
  run: Run;
  /** Every event of the run has a higher offset. */
  afterSeq: number;
  /** Nothing of the run was in the log when it was accepted. */
  isFresh: boolean;
  /**
   * Shows the run in lists, where nothing else has yet: a run that begins at once is shown by its start, which spares a write.
   * Whoever stays connected calls it only when the start does not come.
   */
  admit?: () => Promise<void>;
  /** The thread says which assistant its last run had. */
  bound: Promise<void>;
}

/** Refusals: the run will never start, so its record may go. After any other error it may have been accepted. */
const REFUSALS: readonly (ErrorCode | undefined)[] = ['conflict', 'queue_full', 'thread_closed', 'invalid_argument'];
const GRACE_STEP_MS = 50;

/**
 * Accepts a run: stores it with its input, then submits its ids to the conversation. Nothing is lost where this process dies
 * between the two: a run that was stored and not submitted is swept, one that was submitted shows itself when it starts.
 * Errors: `not_found` (assistant, thread, checkpoint), `conflict`, `queue_full`, `thread_closed`, `unavailable`.
 */
export async function acceptRun(context: ConversationContext, order: RunOrder): Promise<AcceptedRun> {
  const { caller, threadId } = order;
  const tail = quietly(context.events.tail(caller, threadId));
  const { run, created, thread, assistant } = await storeRun(context, order);
  const bind = () => quietly(bindThread(context, caller, thread, assistant));
  // A thread's first run binds it beside its submission; a later one once it is accepted.
  const first = thread.metadata['graph_id'] === undefined;
  if (!created) {
    const again = await acceptAgain(context, order, run.runId);
    // The process that accepted it before may have died before the thread was bound.
    return first ? { ...again, bound: bind() } : again;
  }
  // Read before the run can have events.
  const afterSeq = await tail;
  const early = first ? bind() : undefined;
  const submitted = await submitNew(context, order, run);
  if (submitted.runId !== run.runId) {
    // The conversation knows the key by an older run than the database does.
    await context.threads.discardRun(caller, threadId, run.runId);
    return acceptAgain(context, order, submitted.runId);
  }
  const bound = early ?? bind();
  const admit = () => context.threads.admitRun(caller, threadId, run.runId);
  const beginsAtOnce = submitted.position === 0 && run.request.afterSeconds === undefined;
  if (!beginsAtOnce) await admit();
  return { run, afterSeq, isFresh: true, bound, ...(beginsAtOnce && { admit }) };
}

/**
 * Records a run that its conversation has queued already, which a signal asked for or a deadline: everything that
 * {@link acceptRun} does but the submission. Answers the run of the key where that is an older one.
 * Idempotent by run id and key. Errors: as {@link acceptRun}.
 */
export async function recordRun(context: ConversationContext, order: RunOrder): Promise<Run> {
  const { caller, threadId } = order;
  const { run, thread, assistant } = await storeRun(context, order);
  await Promise.all([
    context.threads.admitRun(caller, threadId, run.runId),
    bindThread(context, caller, thread, assistant),
  ]);
  return run;
}

interface StoredRun {
  run: Run;
  /** False: the id or the key had a run already, with the same request. */
  created: boolean;
  thread: Thread;
  assistant: Assistant;
}

/** Stores a run that nobody sees yet, and its thread where there is none and the order allows to make it. */
async function storeRun(context: ConversationContext, order: RunOrder): Promise<StoredRun> {
  const { caller, threadId } = order;
  checkOrder(context, order);
  const [assistant, found] = await Promise.all([
    findUsableAssistant(context, caller, order.access, order.body.assistant_id),
    order.access.isAsked ? undefined : findOpenThread(context, order),
  ]);
  // A handler of the project may be slow, so the thread is read after it.
  const known = order.access.isAsked ? await findOpenThread(context, order) : found;
  await assertCheckpoint(context, caller, threadId, runCheckpoint(order.body, threadId));
  const thread = known ?? (await createThread(context, order, assistant));
  const { run, created } = await context.threads.createRun(caller, buildRun(order, assistant, thread));
  if (!created) checkSameRequest(run, order, assistant);
  return { run, created, thread, assistant };
}

/** Refuses what can be refused without looking anything up. Errors: `invalid_argument`, `unsupported`. */
export function checkOrder(context: ConversationContext, { body: { webhook, feedback_keys: keys } }: RunOrder): void {
  if (keys?.length && !context.hasFeedback) {
    const message = `feedback_keys: not served here: LangSmith makes the addresses, and LANGSMITH_API_KEY is not set; got ${JSON.stringify(keys)}`;
    throw new ColloquyError('unsupported', message, { field: 'feedback_keys' });
  }
  if (!webhook) return;
  try {
    context.checkWebhook(webhook);
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    const message = `webhook: ${(error as Error).message}`;
    throw new ColloquyError('invalid_argument', message, { cause: error, field: 'webhook' });
  }
}

/** A request that comes again gets its run; its ids are submitted again, since the first submission may not have arrived. */
async function acceptAgain(context: ConversationContext, order: RunOrder, runId: string): Promise<AcceptedRun> {
  const { caller, threadId } = order;
  const { run, start } = await locateRun(context, caller, threadId, runId);
  if (!isEnded(run.status)) {
    await submitPatiently(context, order, run);
    await context.threads.admitRun(caller, threadId, runId);
  }
  return { run, afterSeq: start, isFresh: false, bound: Promise.resolve() };
}

/** A promise that is awaited later: until then its error must not count as unhandled. */
export function quietly<T>(promise: Promise<T>): Promise<T> {
  promise.catch(() => undefined);
  return promise;
}

async function findOpenThread(
  context: ConversationContext,
  { caller, access, threadId, body, stateless }: RunOrder,
): Promise<Thread | undefined> {
  const found = await ifFound(context.threads.getThread(caller, threadId));
  if (found !== undefined) access.checkThread(found);
  else if (!stateless && body.if_not_exists !== 'create')
    throw new ColloquyError('not_found', threadNotFound(threadId));
  return found;
}

/** Somebody else may have made it since it was not found. */
async function createThread(context: ConversationContext, order: RunOrder, assistant: Assistant): Promise<Thread> {
  const { caller, access, threadId, body, stateless } = order;
  const temporary = stateless && body.on_completion !== 'keep';
  const metadata = { ...body.metadata, ...binding(assistant), ...(temporary && STATELESS_METADATA) };
  try {
    return await context.threads.createThread(caller, { threadId, metadata, ifExists: 'raise' });
  } catch (error) {
    if (errorCode(error) !== 'already_exists') throw error;
    const found = await context.threads.getThread(caller, threadId);
    access.checkThread(found);
    return found;
  }
}

/** LangGraph's clients find threads by these two, and the thread's state is read with that graph. */
function binding(assistant: Assistant): { graph_id: string; assistant_id: string } {
  return { graph_id: assistant.graphId, assistant_id: assistant.assistantId };
}

async function bindThread(
  context: ConversationContext,
  caller: Caller,
  thread: Thread,
  assistant: Assistant,
): Promise<void> {
  const metadata = binding(assistant);
  const bound =
    thread.metadata['graph_id'] === metadata.graph_id && thread.metadata['assistant_id'] === metadata.assistant_id;
  if (!bound) await context.threads.updateThread(caller, thread.threadId, { metadata }, thread);
}

/** A key stands for one request: sent with another one it is a mistake of the client. */
function checkSameRequest(run: Run, { body, key }: RunOrder, assistant: Assistant): void {
  const same =
    run.assistantId === assistant.assistantId &&
    isDeepStrictEqual(run.request.input ?? null, inputOf(body) ?? null) &&
    isDeepStrictEqual(run.request.command?.resume, body.command?.resume);
  if (same) return;
  throw new ColloquyError(
    'conflict',
    `Idempotency-Key ${key} belongs to run ${run.runId}, which has another assistant, input or answer`,
  );
}

async function submitNew(context: ConversationContext, order: RunOrder, run: Run): Promise<Submitted> {
  try {
    return await submitPatiently(context, order, run);
  } catch (error) {
    if (REFUSALS.includes(errorCode(error))) await context.threads.discardRun(order.caller, order.threadId, run.runId);
    throw error;
  }
}

/**
 * A conversation learns that its run has ended some milliseconds after the record and the clients do. A run that is refused by `reject`
 * in that moment is tried again for a short while.
 */
async function submitPatiently(context: ConversationContext, order: RunOrder, run: Run): Promise<Submitted> {
  const { caller, threadId, stateless = false } = order;
  const submission: SubmitRun = {
    runId: run.runId,
    graphId: run.graphId,
    assistantId: run.assistantId,
    strategy: run.multitaskStrategy,
    ...(run.key !== undefined && { key: run.key }),
    ...(run.request.command?.resume !== undefined && { resumes: true }),
    ...(run.request.webhook !== undefined && { webhook: true }),
    ...(run.request.afterSeconds !== undefined && { notBefore: beginning(run, run.request.afterSeconds) }),
  };
  const lastRunMayHaveEnded = async (error: unknown) => {
    if (errorCode(error) !== 'conflict' || run.multitaskStrategy !== 'reject') return false;
    const active = await context.threads.activeRuns(caller, threadId);
    return active.every((other) => other.runId === run.runId);
  };
  return pRetry(() => context.conversations.submit(caller, threadId, submission, { ephemeral: stateless }), {
    retries: Infinity,
    maxRetryTime: context.options.rejectGraceMs,
    minTimeout: GRACE_STEP_MS,
    factor: 1,
    shouldRetry: ({ error }) => lastRunMayHaveEnded(error),
  });
}

/** The same however often the run is submitted. */
function beginning(run: Run, afterSeconds: number): string {
  return new Date(run.createdAt.getTime() + afterSeconds * 1000).toISOString();
}
