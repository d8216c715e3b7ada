import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Annotation, END, START, StateGraph, interrupt, type LangGraphRunnableConfig } from '@langchain/langgraph';
import { workerCaller } from '../../activities/deps.js';
import { createRecordRun } from '../../activities/record-run.js';
import type { LoadedGraph } from '../../agents/index.js';
import { completeConversations, type ConversationDependencies } from '../../conversations/index.js';
import { ColloquyError } from '../../protocol/index.js';
import { createStateAccess } from '../../steps/index.js';
import type { RecordedRun } from '../../workflows/contract.js';
import { openStores, type Stores } from '../../workers/stores.js';

const CALLER = workerCaller('default');

const State = Annotation.Root({
  answers: Annotation<unknown[]>({ reducer: (a, b) => a.concat(b), default: () => [] }),
});

const asking = (value: unknown) => () => ({ answers: [interrupt(value)] });

/** Returns a graph whose only node is `node`. */
function graphOf(node: unknown): LoadedGraph {
  const graph = new StateGraph(State).addNode('ask', node as never);
  return graph
    .addEdge(START, 'ask' as never)
    .addEdge('ask' as never, END)
    .compile() as unknown as LoadedGraph;
}

const deadline = '2020-01-01T00:00:00Z';
const question = { text: 'Send it?', colloquy: { deadline, default: { say: 'no' } } };

describe('a run that gives the default answer after the deadline of a question', () => {
  let stores: Stores;

  beforeAll(async () => {
    const uri = process.env['COLLOQUY_TEST_MONGODB_URI'] ?? '';
    const mongo = { uri, isGiven: true, database: `default_answers_${process.pid}` };
    stores = await openStores({ mongo, retention: { eventsMs: 3_600_000 } });
    await stores.assistants.registerGraphs(CALLER, [{ graphId: 'g' }]);
  });
  afterAll(async () => {
    await stores.db.dropDatabase();
    await stores.close();
  });

  /**
   * Creates a thread whose graph has asked a question. `answer` calls `recordRun` for the run that
   * gives the default answer. `recordedCommands` returns the commands of the recorded runs.
   */
  async function asked(graph: LoadedGraph, load: () => Promise<LoadedGraph> = () => Promise.resolve(graph)) {
    const [threadId, runId] = [randomUUID(), randomUUID()];
    await stores.threads.createThread(CALLER, { threadId });
    const saver = await stores.savers.openReader(CALLER, threadId);
    const config = { configurable: { thread_id: threadId } };
    await graph.invoke({} as never, { configurable: { ...config.configurable, __pregel_checkpointer: saver } });
    const statesOf = (source: () => Promise<LoadedGraph>) =>
      createStateAccess({ ...stores, project: { load: source } as never, lastConfig: async () => undefined });
    const { interrupts } = await statesOf(() => Promise.resolve(graph)).getState(CALLER, 'g', threadId);
    const [id] = interrupts.map((one) => one.id);
    const states = statesOf(load);
    const conversations = completeConversations({ ...stores, states } as unknown as ConversationDependencies);
    const record = createRecordRun({ conversations });
    const answer = (
      resume: { interruptId?: string; value?: unknown } = { interruptId: id ?? '' },
    ): Promise<RecordedRun> =>
      record({ tenant: 'default', threadId, runId, assistantId: 'g', run: { resume, byDeadline: true } });
    const recordedCommands = async () => {
      const runs = await stores.threads.listRuns(CALLER, threadId, { limit: 10, offset: 0 });
      return runs.map(({ request }) => request.command);
    };
    return { id: id ?? '', answer, recordedCommands, runId };
  }

  const inner = graphOf(asking(question));
  it.each<[string, unknown, unknown]>([
    ['the default answer of its question', asking(question), { say: 'no' }],
    ['the default answer of a question in a subgraph', inner, { say: 'no' }],
    [
      'the default answer of a question in a graph that a node calls',
      (state: never, config: LangGraphRunnableConfig) => inner.invoke(state, config),
      { say: 'no' },
    ],
    ['the default answer false', asking({ colloquy: { deadline, default: false } }), false],
    ['null if its question has no default answer', asking({ colloquy: { deadline } }), null],
  ])('resumes with %s', async (_what, node, value) => {
    const { id, answer, recordedCommands, runId } = await asked(graphOf(node));
    expect(await answer()).toMatchObject({ runId, graphId: 'g', duplicate: false });
    expect(await recordedCommands()).toEqual([{ resume: { [id]: value } }]);
  });

  it('takes the answer from the state of the thread, even if a workflow of an older release passes an answer', async () => {
    const { id, answer, recordedCommands } = await asked(graphOf(asking(question)));
    await answer({ interruptId: id, value: { say: 'something older' } });
    expect(await recordedCommands()).toEqual([{ resume: { [id]: { say: 'no' } } }]);
  });

  it('is refused if the question is not open any more', async () => {
    const { answer, recordedCommands } = await asked(graphOf(asking(question)));
    expect(await answer({ interruptId: 'another' })).toEqual({ refused: 'its question is not asked any more' });
    expect(await recordedCommands()).toEqual([]);
  });

  it('is not refused if the state of the thread cannot be read: the activity fails, so that Temporal retries it', async () => {
    const graph = graphOf(asking(question));
    const getState = () => Promise.reject(new ColloquyError('not_found', 'a value of the state is not there'));
    const { answer, recordedCommands } = await asked(graph, () =>
      Promise.resolve({ getState } as unknown as LoadedGraph),
    );
    await expect(answer()).rejects.toMatchObject({ message: 'a value of the state is not there', nonRetryable: false });
    expect(await recordedCommands()).toEqual([]);
  });
});
