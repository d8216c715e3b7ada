import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Annotation, END, START, StateGraph } from '@langchain/langgraph';
import { MongoClient } from 'mongodb';
import { randomUUID } from 'node:crypto';
import type { LoadedGraph } from '../../agents/index.js';
import type { CheckpointRef } from '../../protocol/index.js';
import { createStateAccess } from '../../steps/index.js';
import { MongoSaver, ensureStateIndexes } from '../../threads/index.js';
import { ANONYMOUS_CALLER } from '../support/api-server.js';

const client = new MongoClient(process.env.COLLOQUY_TEST_MONGODB_URI ?? '');
const db = client.db('test_state');

beforeAll(async () => {
  await client.connect();
  await ensureStateIndexes(db);
});
afterAll(() => client.close());

const City = Annotation.Root({ city: Annotation<string>, told: Annotation<string> });

/**
 * Returns a graph with the subgraph `inner`. The subgraph stops before its last node `tell`. Only
 * the state of the subgraph has the key `city`.
 */
function weather(): LoadedGraph {
  const inner = new StateGraph(City)
    .addNode('choose', () => ({ city: 'SF' }))
    .addNode('tell', ({ city }) => ({ told: `sunny in ${city}` }))
    .addEdge(START, 'choose')
    .addEdge('choose', 'tell')
    .addEdge('tell', END)
    .compile({ interruptBefore: ['tell'] });
  const outer = new StateGraph(Annotation.Root({ told: Annotation<string> }))
    .addNode('inner', inner)
    .addEdge(START, 'inner')
    .addEdge('inner', END)
    .compile();
  return outer as unknown as LoadedGraph;
}

it('getState and updateState take the checkpoint namespace of a subgraph; the graph continues with the edited state', async () => {
  const graph = weather();
  const { tenant } = ANONYMOUS_CALLER;
  const savers = {
    openReader: async () => new MongoSaver({ client, db, tenant }),
    openEditor: async () => new MongoSaver({ client, db, tenant, exclusive: true }),
  };
  const threadId = randomUUID();
  const config = { configurable: { thread_id: threadId, __pregel_checkpointer: await savers.openReader() } };
  await graph.invoke({ told: 'nothing' } as never, config);
  const states = createStateAccess({
    project: { load: () => Promise.resolve(graph.withConfig({})) },
    savers,
    lastConfig: () => Promise.resolve(undefined),
  } as never);

  const { tasks } = await states.getState(ANONYMOUS_CALLER, 'g', threadId);
  const checkpoint: CheckpointRef = { checkpointNs: String(tasks[0]?.checkpoint?.checkpoint_ns) };
  expect(checkpoint.checkpointNs).toMatch(/^inner:/);
  expect(tasks[0]?.checkpoint).toEqual({ thread_id: threadId, checkpoint_ns: checkpoint.checkpointNs });
  const inside = await states.getState(ANONYMOUS_CALLER, 'g', threadId, { checkpoint });
  expect(inside).toMatchObject({ values: { city: 'SF', told: 'nothing' }, next: ['tell'] });

  await states.updateState(ANONYMOUS_CALLER, 'g', threadId, { values: { city: 'LA' }, checkpoint });
  const history = await states.getHistory(ANONYMOUS_CALLER, 'g', threadId, { limit: 10, checkpoint });
  expect(history.map(({ values }) => (values as { city?: string }).city)).toEqual(['LA', 'SF', undefined, undefined]);
  expect(await graph.invoke(null, config)).toEqual({ told: 'sunny in LA' });
});
