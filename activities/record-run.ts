import { errorCode, type Assistant, type RunRequest } from '../protocol/index.js';
import { defaultAnswerOf, describeError, describeThread } from '../steps/index.js';
import { MongoSaver, type NewRun } from '../threads/index.js';
import type { RecordRunTask, RecordedRun, UnrecordedRun } from '../workflows/contract.js';
import { operatorCaller, workerCaller, type ActivityDependencies } from './deps.js';
import { infrastructureFailure } from './failures.js';

/** The activity that records a run which came by signal or by a deadline, as its operator asked. Idempotent by run id and key. */
export function createRecordRun(dependencies: ActivityDependencies) {
  const { client, db, project, threads, assistants } = dependencies;

  return async (task: RecordRunTask): Promise<RecordedRun> => {
    const caller = task.run.byDeadline ? workerCaller(task.tenant) : operatorCaller(task.tenant);
    try {
      const assistant = await findAssistant(task);
      if (assistant === undefined) return { refused: 'no assistant was named, and the thread has none yet' };
      const run = task.run.byDeadline ? await answeredByDefault(task, assistant) : task.run;
      if (run === undefined) return { refused: 'its question is not asked any more' };
      await threads.createThread(caller, { threadId: task.threadId, ifExists: 'do_nothing' });
      const { run: recorded, created } = await threads.createRun(caller, newRun({ ...task, run }, assistant));
      const { runId, graphId, assistantId } = recorded;
      await threads.admitRun(caller, task.threadId, runId);
      return { runId, graphId, assistantId, duplicate: !created && runId !== task.runId };
    } catch (error) {
      const code = errorCode(error);
      if (code === undefined || code === 'unavailable' || code === 'internal') throw error;
      return { refused: (error as Error).message };
    }
  };

  /**
   * The run with the default answer of its question, which only the thread's state holds. Undefined
   * where the question is closed: an edit of the state can close it without the workflow's knowledge.
   * A state that cannot be read makes the activity fail, so that Temporal retries it.
   */
  async function answeredByDefault(task: RecordRunTask, assistant: Assistant): Promise<UnrecordedRun | undefined> {
    const { tenant, threadId, run } = task;
    const graph = await project.load(assistant.graphId, assistant.config);
    const saver = new MongoSaver({ client, db, tenant });
    const { interrupts } = await describeThread(graph, saver, threadId).catch((cause: unknown) => {
      throw infrastructureFailure(cause, describeError(cause));
    });
    const open = Object.values(interrupts).flat();
    const question = open.find(({ id }) => id === run.resume?.interruptId);
    return question && { ...run, resume: { ...run.resume, value: defaultAnswerOf(question.value) } };
  }

  async function findAssistant(task: RecordRunTask): Promise<Assistant | undefined> {
    const name = task.run.assistantId ?? (task.assistantId || undefined);
    return name === undefined ? undefined : assistants.getAssistant(workerCaller(task.tenant), name);
  }
}

function newRun(task: RecordRunTask, assistant: Assistant): NewRun {
  const { run } = task;
  return {
    threadId: task.threadId,
    runId: task.runId,
    assistantId: assistant.assistantId,
    graphId: assistant.graphId,
    multitaskStrategy: 'enqueue',
    metadata: { assistant_id: assistant.assistantId, graph_id: assistant.graphId },
    request: requestOf(run, assistant),
    ...(run.key !== undefined && { key: run.key }),
  };
}

function requestOf(run: UnrecordedRun, assistant: Assistant): RunRequest {
  const { resume } = run;
  const shared = {
    config: assistant.config,
    ...(assistant.context !== null && assistant.context !== undefined && { context: assistant.context }),
    streamModes: ['values', 'messages-tuple'] as RunRequest['streamModes'],
    streamSubgraphs: false,
  };
  if (resume === undefined) return { ...shared, input: inputOf(run.input) };
  return {
    ...shared,
    command: { resume: resume.interruptId === undefined ? resume.value : { [resume.interruptId]: resume.value } },
  };
}

/** A text is what a person says; anything else is the graph's input as it is. */
function inputOf(given: unknown): unknown {
  return typeof given === 'string' ? { messages: [{ role: 'user', content: given }] } : given;
}
