import { defaultPayloadConverter, rawValueTypeInfo } from '@temporalio/common';
import type { RawValue } from '@temporalio/common';
import {
  ApplicationFailure,
  CancelledFailure,
  CancellationScope,
  allHandlersFinished,
  condition,
  continueAsNew,
  defineQuery,
  defineSignal,
  defineUpdate,
  log,
  patched,
  setCurrentDetails,
  setDefaultSignalHandler,
  setHandler,
  upsertSearchAttributes,
  uuid4,
  workflowInfo,
} from '@temporalio/workflow';
import { ColloquyError, errorCode } from '../protocol/index.js';
import { QUERIES, SEARCH_ATTRIBUTES, SIGNALS, UPDATES } from './contract.js';
import type {
  Cancelled,
  Closed,
  ConversationInput,
  ConversationView,
  Injected,
  PendingInterrupt,
  Resumed,
  SubmitRun,
  Submitted,
} from './contract.js';
import { describeConversation } from './details.js';
import {
  readCancel,
  readCancelSignal,
  readEditedSignal,
  readInject,
  readInput,
  readMessageSignal,
  readResume,
  readResumeSignal,
  readSubmit,
} from './intake.js';
import { Pump } from './pump.js';
import { ConversationQueue } from './queue.js';

/**
 * A stateless conversation whose only run never came (its submission was refused) ends after this.
 */
const EPHEMERAL_PATIENCE_MS = 60_000;

/**
 * Inputs of a signal reach the handler undecoded: one that cannot be decoded would fail the
 * workflow task, again and again, before any code of ours could look at it.
 */
const UNREAD = { typeInfo: { inputTypes: Array.from({ length: 8 }, () => rawValueTypeInfo) } };

/**
 * A conversation: takes runs from updates and signals, works them off one by one, waits for
 * answers, for ever.
 */
export async function conversation(given?: unknown): Promise<void> {
  const input = refuse(() => readInput(workflowInfo().workflowId, given));
  const queue = new ConversationQueue(input, Date.now, workflowInfo().startTime.getTime());
  const pump = new Pump(input, queue, () => {
    publish(queue);
    show(queue);
  });
  const changed = () => {
    pump.stopIfCancelled();
    show(queue);
  };
  takeUpdates(queue, changed);
  takeSignals(queue, changed);
  setHandler(defineQuery<ConversationView>(QUERIES.state), () => queue.view());
  setHandler(defineQuery<PendingInterrupt[]>(QUERIES.pendingInterrupts), () => queue.view().interrupts);
  show(queue);

  const asked = closeWhenCancelled(queue, changed);
  await CancellationScope.nonCancellable(() => converse(input, queue, pump));
  if (asked.cancelled) throw new CancelledFailure('the conversation was cancelled; its runs have ended');
}

/**
 * Works off the queue. Answers to updates go out before work begins: where a worker rebuilds a
 * conversation whose last workflow task had nothing to do, it sees that task and the update after
 * it as one, while a later replay sees two. Without an order of their own the answer and the
 * activity would change places, and no worker could replay the history any more.
 */
async function converse(input: ConversationInput, queue: ConversationQueue, pump: Pump): Promise<void> {
  const turnsBefore = queue.turns;
  const { maxTurns } = input.settings;
  const isLong = () => workflowInfo().continueAsNewSuggested || (maxTurns > 0 && queue.turns - turnsBefore >= maxTurns);

  while (!queue.isOver) {
    if (isLong() && !queue.closed) await continueConversation(input, queue, pump);
    if (queue.hasWork) {
      await condition(allHandlersFinished);
      await pump.runNext();
    } else {
      await waitForWork(queue, isLong);
    }
    publish(queue);
    show(queue);
  }
  await condition(allHandlersFinished);
  await pump.webhooksStarted();
}

/**
 * Waits until something is to do: a run, the end, a deadline, the time of a delayed run, a history
 * that got long by signals alone.
 */
async function waitForWork(queue: ConversationQueue, isLong: () => boolean): Promise<void> {
  const { nextDueAt } = queue;
  const something = () => queue.hasWork || queue.isOver || isLong() || queue.nextDueAt !== nextDueAt;
  if (queue.awaitsFirstRun) {
    if (!(await condition(something, EPHEMERAL_PATIENCE_MS))) queue.close();
    return;
  }
  const wait = queue.untilDue();
  if (wait === undefined) return condition(something);
  const woken = await condition(something, wait, {
    summary: nextDueAt === undefined ? 'default answer' : 'delayed run',
  });
  if (!woken) queue.answerByDefault(uuid4);
}

/**
 * Begins a new history, at a turn's boundary. Messages that came by signal are recorded before, so
 * that only ids go over.
 */
async function continueConversation(input: ConversationInput, queue: ConversationQueue, pump: Pump): Promise<void> {
  do {
    await pump.recordWaiting();
    await condition(allHandlersFinished);
    await pump.webhooksStarted();
  } while (queue.unrecorded().length > 0);
  if (queue.closed) return;
  await continueAsNew<typeof conversation>({ ...input, carried: queue.carry() });
}

/**
 * Cancelling the workflow (Web UI, CLI) closes the conversation: its runs are ended first, in the
 * records too.
 */
function closeWhenCancelled(queue: ConversationQueue, changed: () => void): { cancelled: boolean } {
  const asked = { cancelled: false };
  CancellationScope.current().cancelRequested.catch(() => {
    asked.cancelled = true;
    queue.close();
    changed();
  });
  return asked;
}

function takeUpdates(queue: ConversationQueue, changed: () => void): void {
  const answer = <T>(decide: () => T): T => {
    const decided = refuse(decide);
    changed();
    return decided;
  };
  setHandler(
    defineUpdate<Submitted, [unknown]>(UPDATES.submit),
    (given) => answer(() => queue.submit(onlyKnown(readSubmit(given)))),
    { validator: (given) => void refuse(() => queue.checkSubmit(readSubmit(given))) },
  );
  setHandler(
    defineUpdate<Injected, [unknown]>(UPDATES.inject),
    (given) => answer(() => queue.inject(readInject(given))),
    { validator: (given) => void refuse(() => queue.checkInject(readInject(given))) },
  );
  setHandler(
    defineUpdate<Resumed, [unknown]>(UPDATES.resume),
    (given) => answer(() => queue.resume(readResume(given), uuid4())),
    { validator: (given) => void refuse(() => queue.checkResume(readResume(given))) },
  );
  setHandler(
    defineUpdate<Cancelled, [unknown]>(UPDATES.cancel),
    (given) => answer(() => queue.cancel(readCancel(given))),
    { validator: (given) => void refuse(() => readCancel(given)) },
  );
  setHandler(defineUpdate<Closed>(UPDATES.close), () => answer(() => queue.close()));
}

/** What a history from before these fields did not follow, its replay must not follow either. */
function onlyKnown(run: SubmitRun): SubmitRun {
  const { notBefore, webhook, ...rest } = run;
  if ((notBefore === undefined && webhook === undefined) || patched('delayed-runs-and-webhooks')) return run;
  return rest;
}

/** A signal has no answer, so what is wrong with one is noted where its sender can look. */
function takeSignals(queue: ConversationQueue, changed: () => void): void {
  const take = (name: string, follow: (given: unknown) => void) =>
    setHandler(defineSignal<RawValue[]>(name, UNREAD), (...inputs: RawValue[]) => {
      try {
        if (inputs.length > 1) throw new ColloquyError('invalid_argument', `it takes one input, not ${inputs.length}`);
        follow(read(inputs[0]));
      } catch (error) {
        if (errorCode(error) === undefined) throw error;
        tell(queue, `signal ${name} was not followed: ${(error as Error).message}`);
      }
      changed();
    });
  take(SIGNALS.message, (given) => {
    const { duplicate, runId } = queue.message(readMessageSignal(given), uuid4());
    if (duplicate) tell(queue, `signal ${SIGNALS.message} has the key of run ${runId}, which came before`);
  });
  take(SIGNALS.resume, (given) => void queue.resume(readResumeSignal(given), uuid4()));
  take(SIGNALS.cancel, (given) => void queue.cancel(readCancelSignal(given)));
  take(SIGNALS.edited, (given) => queue.edited(readEditedSignal(given), () => patched('edits-before-their-question')));
  setDefaultSignalHandler((name) => {
    tell(queue, `signal ${name} is unknown; known: ${[SIGNALS.message, SIGNALS.resume, SIGNALS.cancel].join(', ')}`);
    changed();
  });
}

/** What was sent, whatever its encoding. Errors: `invalid_argument`. */
function read(input: RawValue | undefined): unknown {
  try {
    return input === undefined ? undefined : defaultPayloadConverter.fromPayload(input.payload);
  } catch (cause) {
    throw new ColloquyError('invalid_argument', `its input cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function tell(queue: ConversationQueue, text: string): void {
  queue.notes.add(text);
  log.warn(text);
}

/** Errors of ours as what Temporal's clients get: a failure with the code as its type. */
function refuse<T>(decide: () => T): T {
  try {
    return decide();
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) throw error;
    throw ApplicationFailure.nonRetryable((error as Error).message, code);
  }
}

function show(queue: ConversationQueue): void {
  const { workflowId, namespace } = workflowInfo();
  setCurrentDetails(describeConversation(queue.view(), { workflowId, namespace }));
}

/**
 * Keeps the search attributes true, where the starter set them: an upsert is an event and a
 * visibility write, and on a server that does not know the attributes it would fail the workflow
 * task for ever.
 */
function publish(queue: ConversationQueue): void {
  const shown = workflowInfo().typedSearchAttributes;
  const key = (name: string) => ({ name, type: 'KEYWORD' as const });
  if (shown.get(key(SEARCH_ATTRIBUTES.tenant)) === undefined) return;
  const { status } = queue.view();
  const wanted = { status: status === 'busy' ? 'idle' : status, assistant: queue.lastAssistant };
  const changes = (['status', 'assistant'] as const).flatMap((part) => {
    const name = key(SEARCH_ATTRIBUTES[part]);
    const value = wanted[part];
    return value === undefined || value === shown.get(name) ? [] : [{ key: name, value }];
  });
  if (changes.length > 0) upsertSearchAttributes(changes);
}
