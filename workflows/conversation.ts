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
 * Time in ms that a stateless conversation waits for its only run. The conversation closes after
 * this time if the workflow was started but the update `submit` was refused or did not arrive.
 */
const FIRST_RUN_TIMEOUT_MS = 60_000;

/**
 * Makes signal handlers receive their inputs undecoded. If Temporal decoded the inputs, an input
 * that cannot be decoded would fail the workflow task on every attempt, before our code could
 * refuse the input.
 */
const RAW_INPUTS = { typeInfo: { inputTypes: Array.from({ length: 8 }, () => rawValueTypeInfo) } };

/**
 * The workflow of a thread. It accepts runs from updates and signals, executes them one after
 * another, and waits for answers to questions. It only ends if it is stateless or closed.
 */
export async function conversation(given?: unknown): Promise<void> {
  const input = withFailures(() => readInput(workflowInfo().workflowId, given));
  const queue = new ConversationQueue(input, Date.now, workflowInfo().startTime.getTime());
  const pump = new Pump(input, queue, () => {
    updateSearchAttributes(queue);
    updateDetails(queue);
  });
  const changed = () => {
    pump.stopIfCancelled();
    updateDetails(queue);
  };
  handleUpdates(queue, changed);
  handleSignals(queue, changed);
  setHandler(defineQuery<ConversationView>(QUERIES.state), () => queue.view());
  setHandler(defineQuery<PendingInterrupt[]>(QUERIES.pendingInterrupts), () => queue.view().interrupts);
  updateDetails(queue);

  const close = closeWhenCancelled(queue, changed);
  await CancellationScope.nonCancellable(() => converse(input, queue, pump));
  if (close.cancelled) throw new CancelledFailure('the conversation was cancelled; its runs have ended');
}

/**
 * Executes the runs of the queue. Before a run starts, all update handlers must finish. Otherwise a
 * workflow replay could produce the commands in another order than the recorded history, and would
 * fail. Example: a workflow task finds nothing to do, and an update arrives right after it. A
 * worker that has not cached the workflow handles the task and the update together. A later
 * workflow replay handles the task first and the update second. Without the wait, the completion of
 * the update and the start of the activity would change places.
 */
async function converse(input: ConversationInput, queue: ConversationQueue, pump: Pump): Promise<void> {
  const turnsBefore = queue.turns;
  const { maxTurns } = input.settings;
  const isLong = () => pump.isLong || (maxTurns > 0 && queue.turns - turnsBefore >= maxTurns);

  while (!queue.isOver) {
    if (isLong() && !queue.closed) await continueConversation(input, queue, pump);
    if (queue.hasWork) {
      await condition(allHandlersFinished);
      await pump.runNext();
    } else {
      await waitForWork(queue, isLong);
    }
    updateSearchAttributes(queue);
    updateDetails(queue);
  }
  await condition(allHandlersFinished);
  await pump.webhooksStarted();
}

/**
 * Waits until there is something to do: a run waits, a delayed run is due, the first due time of
 * the delayed runs has changed, the conversation can end, the deadline of a question has passed, or
 * signals have made the history so long that the workflow must continue as new. Enqueues the
 * default answers that are due. Closes a stateless conversation whose run has not arrived in time.
 */
async function waitForWork(queue: ConversationQueue, isLong: () => boolean): Promise<void> {
  const { nextDueAt } = queue;
  const hasSomethingToDo = () => queue.hasWork || queue.isOver || isLong() || queue.nextDueAt !== nextDueAt;
  if (queue.awaitsFirstRun) {
    if (!(await condition(hasSomethingToDo, FIRST_RUN_TIMEOUT_MS))) queue.close();
    return;
  }
  const wait = queue.untilDue();
  if (wait === undefined) return condition(hasSomethingToDo);
  const woken = await condition(hasSomethingToDo, wait, {
    summary: nextDueAt === undefined ? 'default answer' : 'delayed run',
  });
  if (!woken) queue.answerByDefault(uuid4);
}

/**
 * Continues as new between two runs, or between two steps of the current run. First records the
 * waiting runs that signals created, so that only their ids are carried to the next execution. If
 * the current run is cancelled meanwhile, the next execution ends it.
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
 * Closes the conversation if the workflow is cancelled, for example in the Web UI. Closing cancels
 * all runs. The workflow ends when the runs have ended and their records say so. `cancelled` in the
 * returned object becomes true when the workflow is cancelled.
 */
function closeWhenCancelled(queue: ConversationQueue, changed: () => void): { cancelled: boolean } {
  const close = { cancelled: false };
  CancellationScope.current().cancelRequested.catch(() => {
    close.cancelled = true;
    queue.close();
    changed();
  });
  return close;
}

function handleUpdates(queue: ConversationQueue, changed: () => void): void {
  const answer = <T>(decide: () => T): T => {
    const decided = withFailures(decide);
    changed();
    return decided;
  };
  setHandler(
    defineUpdate<Submitted, [unknown]>(UPDATES.submit),
    (given) => answer(() => queue.submit(withoutNewerFields(readSubmit(given)))),
    { validator: (given) => void withFailures(() => queue.checkSubmit(readSubmit(given))) },
  );
  setHandler(
    defineUpdate<Injected, [unknown]>(UPDATES.inject),
    (given) => answer(() => queue.inject(readInject(given))),
    { validator: (given) => void withFailures(() => queue.checkInject(readInject(given))) },
  );
  setHandler(
    defineUpdate<Resumed, [unknown]>(UPDATES.resume),
    (given) => answer(() => queue.resume(readResume(given), uuid4())),
    { validator: (given) => void withFailures(() => queue.checkResume(readResume(given))) },
  );
  setHandler(
    defineUpdate<Cancelled, [unknown]>(UPDATES.cancel),
    (given) => answer(() => queue.cancel(readCancel(given))),
    { validator: (given) => void withFailures(() => readCancel(given)) },
  );
  setHandler(defineUpdate<Closed>(UPDATES.close), () => answer(() => queue.close()));
}

/**
 * Removes `notBefore` and `webhook` in a workflow replay of a history that an older release has
 * recorded. The code of that release ignored these fields, so the replay must ignore them too.
 */
function withoutNewerFields(run: SubmitRun): SubmitRun {
  const { notBefore, webhook, ...rest } = run;
  if ((notBefore === undefined && webhook === undefined) || patched('delayed-runs-and-webhooks')) return run;
  return rest;
}

/**
 * Sets the handlers of the signals. A signal has no response. If a signal is refused, the reason is
 * written to the notes, which the sender can query.
 */
function handleSignals(queue: ConversationQueue, changed: () => void): void {
  const handle = (name: string, apply: (input: unknown) => void) =>
    setHandler(defineSignal<RawValue[]>(name, RAW_INPUTS), (...inputs: RawValue[]) => {
      try {
        if (inputs.length > 1) throw new ColloquyError('invalid_argument', `it takes one input, not ${inputs.length}`);
        apply(decode(inputs[0]));
      } catch (error) {
        if (errorCode(error) === undefined) throw error;
        addNote(queue, `signal ${name} was not followed: ${(error as Error).message}`);
      }
      changed();
    });
  handle(SIGNALS.message, (given) => {
    const { duplicate, runId } = queue.message(readMessageSignal(given), uuid4());
    if (duplicate) addNote(queue, `signal ${SIGNALS.message} has the key of run ${runId}, which came before`);
  });
  handle(SIGNALS.resume, (given) => void queue.resume(readResumeSignal(given), uuid4()));
  handle(SIGNALS.cancel, (given) => void queue.cancel(readCancelSignal(given)));
  handle(SIGNALS.edited, (given) =>
    queue.edited(readEditedSignal(given), () => patched('edits-before-their-question')),
  );
  setDefaultSignalHandler((name) => {
    addNote(queue, `signal ${name} is unknown; known: ${[SIGNALS.message, SIGNALS.resume, SIGNALS.cancel].join(', ')}`);
    changed();
  });
}

/** Decodes the input of a signal. Errors: `invalid_argument` if it cannot be decoded. */
function decode(input: RawValue | undefined): unknown {
  try {
    return input === undefined ? undefined : defaultPayloadConverter.fromPayload(input.payload);
  } catch (cause) {
    throw new ColloquyError('invalid_argument', `its input cannot be read: ${(cause as Error).message}`, { cause });
  }
}

function addNote(queue: ConversationQueue, text: string): void {
  queue.notes.add(text);
  log.warn(text);
}

/**
 * Calls `decide` and returns its result. Converts a `ColloquyError` to the failure that Temporal
 * clients get. The type of the failure is the code of the error.
 */
function withFailures<T>(decide: () => T): T {
  try {
    return decide();
  } catch (error) {
    const code = errorCode(error);
    if (code === undefined) throw error;
    throw ApplicationFailure.nonRetryable((error as Error).message, code);
  }
}

function updateDetails(queue: ConversationQueue): void {
  const { workflowId, namespace } = workflowInfo();
  setCurrentDetails(describeConversation(queue.view(), { workflowId, namespace }));
}

/**
 * Updates the search attributes, but only if the client that started the workflow has set them. On
 * a server that does not know these attributes, an update would fail the workflow task on every
 * attempt. Only changed attributes are written, because each write costs a history event and a
 * write to Temporal's visibility store.
 */
function updateSearchAttributes(queue: ConversationQueue): void {
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
