import { errorCode, type Assistant, type RunRequest } from '../protocol/index.js';
import { describeThread } from '../steps/index.js';
import { MongoSaver, type NewRun } from '../threads/index.js';
import type { RecordRunTask, RecordedRun, UnrecordedRun } from '../workflows/contract.js';
import { operatorCaller, workerCaller, type ActivityDependencies } from './deps.js';

/** The activity that records a run which came by signal or by a deadline, as its operator asked. Idempotent by run id and key. */
export function createRecordRun(dependencies: ActivityDependencies) {
  const { client, db, project, threads, assistants } = dependencies;

  return async (task: RecordRunTask): Promise<RecordedRun> => {
    const caller = task.run.byDeadline ? workerCaller(task.tenant) : operatorCaller(task.tenant);
    try {
      const assistant = await findAssistant(task);
      if (assistant === undefined) return { refused: 'no assistant was named, and the thread has none yet' };
      if (await isClosed(task, assistant)) return { refused: 'its question is not asked any more' };
      await threads.createThread(caller, { threadId: task.threadId, ifExists: 'do_nothing' });
      const { run, created } = await threads.createRun(caller, newRun(task, assistant));
      await threads.admitRun(caller, task.threadId, run.runId);
      const duplicate = !created && run.runId !== task.runId;
      return { runId: run.runId, graphId: run.graphId, assistantId: run.assistantId, duplicate };
    } catch (error) {
      const code = errorCode(error);
      if (code === undefined || code === 'unavailable' || code === 'internal') throw error;
      return { refused: (error as Error).message };
    }
  };

  /** A default answer is given long after its question, which an edit of the state may have closed without anybody being told. */
  async function isClosed({ tenant, threadId, run }: RecordRunTask, { graphId }: Assistant): Promise<boolean> {
    const { byDeadline, resume } = run;
    if (!byDeadline || resume === undefined) return false;
    const saver = new MongoSaver({ client, db, tenant });
    const { questions } = await describeThread(await project.load(graphId), saver, threadId);
    return questions.every(({ id }) => id !== resume.interruptId);
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
