import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { randomUUID } from 'node:crypto';
import { Annotation, END, START, StateGraph, interrupt, type LangGraphRunnableConfig } from '@langchain/langgraph';
import { MongoClient } from 'mongodb';
import type { ActivityDependencies } from '../../activities/index.js';
import { createRecordRun } from '../../activities/record-run.js';
import type { LoadedGraph } from '../../agents/index.js';
import { ColloquyError } from '../../protocol/index.js';
import { MongoSaver, ensureStateIndexes, type NewRun } from '../../threads/index.js';
import type { RecordedRun } from '../../workflows/contract.js';

const State = Annotation.Root({
  answers: Annotation<unknown[]>({ reducer: (a, b) => a.concat(b), default: () => [] }),
});

const asking = (value: unknown) => () => ({ answers: [interrupt(value)] });

/** A graph of one node. */
function graphOf(node: unknown): LoadedGraph {
  const graph = new StateGraph(State).addNode('ask', node as never);
  return graph
    .addEdge(START, 'ask' as never)
    .addEdge('ask' as never, END)
    .compile() as unknown as LoadedGraph;
}

const deadline = '2020-01-01T00:00:00Z';
const question = { text: 'Send it?', colloquy: { deadline, default: { say: 'no' } } };

describe('the run of a default answer', () => {
  const client = new MongoClient(process.env.COLLOQUY_TEST_MONGODB_URI ?? '');
  const db = client.db('test_default_answers');

  beforeAll(async () => {
    await client.connect();
    await ensureStateIndexes(db);
  });
  afterAll(async () => {
    await db.dropDatabase();
    await client.close();
  });

  /** A thread whose graph has asked, and `recordRun` over it; `made` takes the runs. */
  async function asked(graph: LoadedGraph, load: () => Promise<LoadedGraph> = () => Promise.resolve(graph)) {
    const threadId = randomUUID();
    const saver = new MongoSaver({ client, db, tenant: 'default' });
    const config = { configurable: { thread_id: threadId } };
    const run = { ...config.configurable, __pregel_checkpointer: saver };
    await graph.invoke({} as never, { configurable: run });
    graph.checkpointer = saver as never;
    const { tasks } = await graph.getState(config);
    const [id] = tasks.flatMap((task) => task.interrupts.map((one) => one.id));
    const made: NewRun[] = [];
    const record = createRecordRun({
      client,
      db,
      project: { load },
      assistants: {
        getAssistant: () => Promise.resolve({ assistantId: 'a', graphId: 'g', config: {}, context: null }),
      },
      threads: {
        createThread: () => Promise.resolve(),
        createRun: (_caller: unknown, newRun: NewRun) => {
          made.push(newRun);
          return Promise.resolve({ run: newRun, created: true });
        },
        admitRun: () => Promise.resolve(),
      },
    } as unknown as ActivityDependencies);
    const answer = (
      resume: { interruptId?: string; value?: unknown } = { interruptId: id ?? '' },
    ): Promise<RecordedRun> =>
      record({ tenant: 'default', threadId, runId: 'r1', assistantId: 'a', run: { resume, byDeadline: true } });
    return { id: id ?? '', answer, made };
  }

  const inner = graphOf(asking(question));
  it.each<[string, unknown, unknown]>([
    ['that its question names', asking(question), { say: 'no' }],
    ['of a question in a subgraph', inner, { say: 'no' }],
    [
      'of a question in a graph that a node calls',
      (state: never, config: LangGraphRunnableConfig) => inner.invoke(state, config),
      { say: 'no' },
    ],
    ['false', asking({ colloquy: { deadline, default: false } }), false],
    ['null, where its question names none', asking({ colloquy: { deadline } }), null],
  ])('has the answer %s', async (_what, node, value) => {
    const { id, answer, made } = await asked(graphOf(node));
    expect(await answer()).toEqual({ runId: 'r1', graphId: 'g', assistantId: 'a', duplicate: false });
    expect(made.map(({ request }) => request.command)).toEqual([{ resume: { [id]: value } }]);
  });

  it('has the answer of the thread, whatever an older workflow hands over', async () => {
    const { id, answer, made } = await asked(graphOf(asking(question)));
    await answer({ interruptId: id, value: { say: 'no' } });
    expect(made.map(({ request }) => request.command)).toEqual([{ resume: { [id]: { say: 'no' } } }]);
  });

  it('is refused where the question is not asked any more', async () => {
    const { answer, made } = await asked(graphOf(asking(question)));
    expect(await answer({ interruptId: 'another' })).toEqual({ refused: 'its question is not asked any more' });
    expect(made).toEqual([]);
  });

  it('is tried again, not refused, where the state cannot be read', async () => {
    const graph = graphOf(asking(question));
    const getState = () => Promise.reject(new ColloquyError('not_found', 'a value of the state is not there'));
    const { answer, made } = await asked(graph, () => Promise.resolve({ getState } as unknown as LoadedGraph));
    await expect(answer()).rejects.toMatchObject({ message: 'a value of the state is not there', nonRetryable: false });
    expect(made).toEqual([]);
  });
});
