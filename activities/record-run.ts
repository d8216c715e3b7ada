import { OPEN_ACCESS, recordRun, type ConversationContext, type RunOrder } from '../conversations/index.js';
import { errorCode, type Caller } from '../protocol/index.js';
import type { RunBody } from '../protocol/schemas/index.js';
import { defaultAnswerOf, describeError } from '../steps/index.js';
import type { RecordRunTask, RecordedRun, UnrecordedRun } from '../workflows/contract.js';
import { infrastructureFailure } from './failures.js';
import { operatorCaller, workerCaller, type ActivityDependencies } from './deps.js';

/**
 * Returns the activity that stores the record of a run that has no record yet: a Temporal signal
 * asked for the run, or the deadline of a question is over and the run gives the question's default
 * answer. Idempotent by run id and idempotency key. If the thread's
 * state or the database cannot be read, the activity fails, so that Temporal retries it. If the run
 * is not acceptable, the result is `refused` with the reason.
 */
export function createRecordRun({ conversations }: Pick<ActivityDependencies, 'conversations'>) {
  return async (task: RecordRunTask): Promise<RecordedRun> => {
    const caller = task.run.byDeadline ? workerCaller(task.tenant) : operatorCaller(task.tenant);
    const assistantId = task.run.assistantId ?? (task.assistantId || undefined);
    if (assistantId === undefined) return { refused: 'no assistant was named, and the thread has none yet' };
    try {
      const run = task.run.byDeadline ? await withDefaultAnswer(conversations, caller, task, assistantId) : task.run;
      if (run === undefined) return { refused: 'its question is not asked any more' };
      const recorded = await recordRun(conversations, orderOf({ ...task, run }, caller, assistantId));
      const { runId, graphId } = recorded;
      return { runId, graphId, assistantId: recorded.assistantId, duplicate: runId !== task.runId };
    } catch (error) {
      const code = errorCode(error);
      if (code === undefined || code === 'unavailable' || code === 'internal') throw error;
      return { refused: (error as Error).message };
    }
  };
}

/**
 * Adds the default answer of the question to the run. Reads the answer from the thread's state,
 * because the workflow history does not contain it. Returns undefined if the question is not open
 * any more: an edit of the state may have closed it before the workflow learned of the edit.
 */
async function withDefaultAnswer(
  { states, assistants }: ConversationContext,
  caller: Caller,
  { threadId, run }: RecordRunTask,
  assistantId: string,
): Promise<UnrecordedRun | undefined> {
  const { graphId } = await assistants.getAssistant(caller, assistantId);
  const { interrupts } = await states.getState(caller, graphId, threadId).catch((cause: unknown) => {
    throw infrastructureFailure(cause, describeError(cause));
  });
  const question = interrupts.find(({ id }) => id === run.resume?.interruptId);
  return question && { ...run, resume: { ...run.resume, value: defaultAnswerOf(question.value) } };
}

function orderOf({ threadId, runId, run }: RecordRunTask, caller: Caller, assistantId: string): RunOrder {
  const { key, resume } = run;
  const body: RunBody = {
    assistant_id: assistantId,
    ...(resume === undefined ? { input: inputOf(run.input) } : { command: { resume: resumeOf(resume) } }),
    stream_mode: ['values', 'messages-tuple'],
    if_not_exists: 'create',
  };
  return { caller, access: OPEN_ACCESS, threadId, runId, body, ...(key !== undefined && { key }) };
}

function resumeOf({ interruptId, value }: NonNullable<UnrecordedRun['resume']>): unknown {
  return interruptId === undefined ? value : { [interruptId]: value };
}

/**
 * Converts the input in a signal to the input of the graph. A string becomes one human message. Any
 * other value is returned unchanged.
 */
function inputOf(given: unknown): unknown {
  return typeof given === 'string' ? { messages: [{ role: 'user', content: given }] } : given;
}
