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
import { endLostRuns } from './lost-runs.js';
import { buildRun, inputOf, runCheckpoint, type RunOrder } from './build-run.js';

export interface AcceptedRun {
  run: Run;
  /** An offset of the thread's event log. Every event of the run has a higher offset. */
  afterSeq: number;
  /** True if the event log had no event of the run when the run was accepted. */
  isFresh: boolean;
  /**
   * Makes the run visible in lists. Absent if lists show the run already. A run also becomes
   * visible when it starts. So a request that streams the run, or that waits for its end, calls
   * `admit` only if no event of the run has arrived after a short time.
   */
  admit?: () => Promise<void>;
  /** Resolves when the thread's metadata name the graph and assistant of the run. */
  bound: Promise<void>;
}

/**
 * Error codes with which a conversation refuses a run. A refused run never starts, so its record
 * can be deleted. After an error with any other code the run may have been accepted.
 */
const REFUSALS: readonly (ErrorCode | undefined)[] = ['conflict', 'queue_full', 'thread_closed', 'invalid_argument'];
const GRACE_STEP_MS = 50;
/** Pause after which a client should repeat a request whose run is not recorded yet. */
const RECORD_PAUSE_MS = 1_000;

/**
 * Accepts a run: stores it with its input, then submits its id to the conversation. This process
 * may die between the two steps. A run that was stored but not submitted never becomes visible, and
 * its record is removed later. A run that was submitted becomes visible when it starts. Errors:
 * `invalid_argument`, `unsupported`, `not_found` (assistant, thread, checkpoint), `conflict`,
 * `queue_full`, `thread_closed`, `unavailable`.
 */
export async function acceptRun(context: ConversationContext, order: RunOrder): Promise<AcceptedRun> {
  const { caller, threadId } = order;
  const tail = suppressUnhandled(context.events.tail(caller, threadId));
  const { run, created, thread, assistant } = await storeRun(context, order);
  const bind = () => suppressUnhandled(bindThread(context, caller, thread, assistant));
  // To bind a thread means to write the graph and the assistant of its last run into the thread's
  // metadata. For the first run of a thread, this is done while the run is being submitted. For a
  // later run, it is done only after the run was accepted.
  const isFirstRun = thread.metadata['graph_id'] === undefined;
  if (!created) {
    const again = await acceptRepeated(context, order, run.runId);
    // The process that accepted the run first may have died before it bound the thread.
    return isFirstRun ? { ...again, bound: bind() } : again;
  }
  // `afterSeq` is the offset of the thread's last event. It was read before the run was submitted,
  // so all events of the run have higher offsets.
  const afterSeq = await tail;
  const early = isFirstRun ? bind() : undefined;
  const submitted = await submitNew(context, order, run);
  if (submitted.runId !== run.runId) {
    // The conversation has already accepted another run with this idempotency key, for example a
    // run of a signal. `storeRun` did not find that run, because it had no record yet. A run of a
    // signal gets its record when the conversation begins to execute it.
    await context.threads.discardRun(caller, threadId, run.runId);
    const again = await ifFound(acceptRepeated(context, order, submitted.runId));
    if (again !== undefined) return again;
    const message = `run ${submitted.runId} has this idempotency key and is not recorded yet; try again`;
    throw new ColloquyError('unavailable', message, { retryAfterMs: RECORD_PAUSE_MS });
  }
  if (thread.status === 'busy' && submitted.position === 0) endEarlierLost(context, run);
  const bound = early ?? bind();
  const admit = () => context.threads.admitRun(caller, threadId, run.runId);
  const beginsAtOnce = submitted.position === 0 && run.request.afterSeconds === undefined;
  if (!beginsAtOnce) await admit();
  return { run, afterSeq, isFresh: true, bound, ...(beginsAtOnce && { admit }) };
}

/**
 * Ends the lost runs before a new run, in the background. Called if the conversation had no run
 * before this one although the thread was busy. Then either the earlier run has just ended, or this
 * submission has started the conversation anew after it was ended from outside.
 */
function endEarlierLost(context: ConversationContext, run: Run): void {
  endLostRuns(context, run.tenant, run.threadId, { before: run }).catch((error: unknown) =>
    context.report(error, `runs before run ${run.runId}`),
  );
}

/**
 * Stores the record of a run that the conversation workflow has created itself: for a signal, for
 * an answer, or for the deadline of a question. Does the same as {@link acceptRun}, except that it
 * does not submit the run. If the idempotency key already has a run, returns that run. Idempotent
 * by run id and key. Errors: those of {@link acceptRun}.
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
  /**
   * False if a run with the same id or idempotency key existed already. `run` is then that run. It
   * has the same assistant, input and answer as the requested one.
   */
  created: boolean;
  thread: Thread;
  assistant: Assistant;
}

/**
 * Stores a run, which lists do not show yet. Creates the run's thread if the thread does not exist
 * and the order allows it.
 */
async function storeRun(context: ConversationContext, order: RunOrder): Promise<StoredRun> {
  const { caller, threadId } = order;
  checkOrder(context, order);
  const [assistant, found] = await Promise.all([
    findUsableAssistant(context, caller, order.access, order.body.assistant_id),
    order.access.hasProjectAuth ? undefined : findOpenThread(context, order),
  ]);
  // With a project's auth, `findUsableAssistant` asks handlers, which may be slow. Read the thread
  // only after they have answered, because it can change while a handler runs.
  const existing = order.access.hasProjectAuth ? await findOpenThread(context, order) : found;
  await assertCheckpoint(context, caller, threadId, runCheckpoint(order.body, threadId));
  if (existing !== undefined) await assertNotInside(context, order);
  const thread = existing ?? (await createRunThread(context, order, assistant));
  const { run, created } = await context.threads.createRun(caller, buildRun(order, assistant, thread));
  if (!created) checkSameRequest(run, order, assistant);
  return { run, created, thread, assistant };
}

/** The form of run ids. */
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/**
 * Refuses a run that a node of an unended run asks for on its own thread. It would wait behind the
 * run that waits for it. A `RemoteGraph` sends the config of the run that it is part of, so its
 * `run_id` names that run. Errors: `conflict`.
 */
async function assertNotInside(context: ConversationContext, { caller, threadId, body }: RunOrder): Promise<void> {
  const outer = (body.config?.configurable as Record<string, unknown> | undefined)?.run_id;
  if (typeof outer !== 'string' || !UUID.test(outer)) return;
  const run = await ifFound(context.threads.getRun(caller, threadId, outer));
  if (run === undefined || isEnded(run.status)) return;
  const message = `a node of run ${outer} asks for a run on its own thread ${threadId}, which would wait for itself; add the graph as a subgraph, or call it with another thread_id`;
  throw new ColloquyError('conflict', message);
}

/**
 * Checks the feedback keys and the webhook URL of a requested run. Errors: `invalid_argument`,
 * `unsupported`.
 */
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

/**
 * Returns the run that an earlier request with the same id or key has stored. If the run has not
 * ended, submits it again, because the first submission may not have arrived.
 */
async function acceptRepeated(context: ConversationContext, order: RunOrder, runId: string): Promise<AcceptedRun> {
  const { caller, threadId } = order;
  const { run, start } = await locateRun(context, caller, threadId, runId);
  if (!isEnded(run.status)) {
    await submitWithGrace(context, order, run);
    await context.threads.admitRun(caller, threadId, runId);
  }
  return { run, afterSeq: start, isFresh: false, bound: Promise.resolve() };
}

/**
 * Returns the promise, and marks its rejection as handled. Use it for a promise that is awaited
 * later.
 */
export function suppressUnhandled<T>(promise: Promise<T>): Promise<T> {
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

/**
 * Creates the thread of a run. If another request has created the thread in the meantime, returns
 * that thread. Errors: `not_found` if the caller may not see that thread.
 */
async function createRunThread(context: ConversationContext, order: RunOrder, assistant: Assistant): Promise<Thread> {
  const { caller, access, threadId, body, stateless } = order;
  const temporary = stateless && body.on_completion !== 'keep';
  const metadata = { ...body.metadata, ...threadBinding(assistant), ...(temporary && STATELESS_METADATA) };
  try {
    return await context.threads.createThread(caller, { threadId, metadata });
  } catch (error) {
    if (errorCode(error) !== 'already_exists') throw error;
    const found = await context.threads.getThread(caller, threadId);
    access.checkThread(found);
    return found;
  }
}

/**
 * Returns the metadata that name a thread's last graph and assistant. LangGraph's clients find
 * threads by these fields, and the thread's state is read with this graph.
 */
function threadBinding(assistant: Assistant): { graph_id: string; assistant_id: string } {
  return { graph_id: assistant.graphId, assistant_id: assistant.assistantId };
}

async function bindThread(
  context: ConversationContext,
  caller: Caller,
  thread: Thread,
  assistant: Assistant,
): Promise<void> {
  const metadata = threadBinding(assistant);
  const bound =
    thread.metadata['graph_id'] === metadata.graph_id && thread.metadata['assistant_id'] === metadata.assistant_id;
  if (!bound) await context.threads.updateThread(caller, thread.threadId, { metadata }, thread);
}

/**
 * Checks that a stored run has the same assistant, input and answer as the order. An idempotency
 * key identifies one request, so a different request with the same key is an error of the client.
 * Errors: `conflict`.
 */
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
    return await submitWithGrace(context, order, run);
  } catch (error) {
    if (REFUSALS.includes(errorCode(error))) await context.threads.discardRun(order.caller, order.threadId, run.runId);
    throw error;
  }
}

/**
 * Submits a run. A client may learn of the end of the previous run some milliseconds before the
 * conversation does. If the conversation refuses a run with the strategy `reject` in that time,
 * this function repeats the submission for a short while.
 */
async function submitWithGrace(context: ConversationContext, order: RunOrder, run: Run): Promise<Submitted> {
  const { caller, threadId, stateless = false } = order;
  const submission: SubmitRun = {
    runId: run.runId,
    graphId: run.graphId,
    assistantId: run.assistantId,
    strategy: run.multitaskStrategy,
    ...(run.key !== undefined && { key: run.key }),
    ...(run.request.command?.resume !== undefined && { resumes: true }),
    ...(run.request.webhook !== undefined && { webhook: true }),
    ...(run.request.afterSeconds !== undefined && { notBefore: startTime(run, run.request.afterSeconds) }),
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

/** Returns the start time of a delayed run. The time is the same each time the run is submitted. */
function startTime(run: Run, afterSeconds: number): string {
  return new Date(run.createdAt.getTime() + afterSeconds * 1000).toISOString();
}
