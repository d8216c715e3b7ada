import { fileURLToPath } from 'node:url';
import { Annotation, START, StateGraph } from '@langchain/langgraph';
import { z } from 'zod';
import type { AgentProject, FactoryConfig, LoadedGraph } from '../../agents/index.js';
import { ColloquyError } from '../../protocol/index.js';

/**
 * Graphs whose schemas the tests read. For graphs without zod, the schemas come from the types in
 * the source of this file.
 */

const Child = Annotation.Root({ stage: Annotation<'first' | 'second'>() });
const Parent = Annotation.Root({ stage: Annotation<'first' | 'second'>(), topic: Annotation<string>() });
const Config = Annotation.Root({ model: Annotation<'small' | 'large'>() });

const inner = new StateGraph(Child)
  .addNode('leaf', () => ({ stage: 'second' as const }))
  .addNode('last', () => ({}))
  .addEdge(START, 'leaf')
  .addEdge('leaf', 'last')
  .compile();

const child = new StateGraph(Child)
  .addNode('work', () => ({ stage: 'first' as const }))
  .addNode('inner', inner)
  .addEdge(START, 'work')
  .addEdge('work', 'inner')
  .compile();

export const typed = new StateGraph(Parent, Config)
  .addNode('begin', () => ({ topic: 'x' }))
  .addNode('child', child)
  .addEdge(START, 'begin')
  .addConditionalEdges('begin', ({ topic }) => (topic === 'x' ? 'child' : '__end__'), ['child', '__end__'])
  .compile();

export const checked = new StateGraph(
  z.object({ topic: z.string().describe('What it is about'), count: z.number().default(0) }),
  z.object({ model: z.enum(['small', 'large']) }),
)
  .addNode('counter', ({ count }) => ({ count: count + 1 }))
  .addEdge(START, 'counter')
  .compile();

/** Creates a graph with one node. `configurable.node` in the config is the name of the node. */
export function made(config: FactoryConfig) {
  const nodeName = config.configurable?.['node'];
  const name = typeof nodeName === 'string' ? nodeName : 'unnamed';
  return new StateGraph(z.object({ text: z.string() }))
    .addNode(name, () => ({ text: name }))
    .addEdge(START, name)
    .compile();
}

const source = fileURLToPath(import.meta.url);
const entry = (graphId: string, exportName: string, file = source) => ({
  graphId,
  exportName,
  file,
  path: `./described-graphs.ts:${exportName}`,
});

/** The part of a loaded project that is needed to describe its graphs. */
export const DESCRIBED_PROJECT: Pick<AgentProject, 'graphs' | 'load'> = {
  graphs: [
    entry('typed', 'typed'),
    entry('checked', 'checked'),
    entry('made', 'made'),
    // The same graph as `typed`. Its file is the compiled JavaScript, which has no types.
    entry('untyped', 'typed', source.replace(/\.ts$/, '.js')),
  ],
  load: async (graphId, configOrFactory) => {
    const config = (typeof configOrFactory === 'function' ? await configOrFactory() : configOrFactory) ?? {};
    const graphs: Record<string, () => unknown> = {
      typed: () => typed,
      untyped: () => typed,
      checked: () => checked,
      made: () => made(config),
    };
    const make = graphs[graphId];
    if (!make) throw new ColloquyError('not_found', `graph ${graphId} is not in the project`);
    return make() as LoadedGraph;
  },
};
