import { describe, expect, it } from '@jest/globals';
import { AIMessage } from '@langchain/core/messages';
import { RunnableLambda } from '@langchain/core/runnables';
import { StructuredTool, tool } from '@langchain/core/tools';
import { Annotation, END, MessagesAnnotation, START, StateGraph, entrypoint, task } from '@langchain/langgraph';
import { ToolNode } from '@langchain/langgraph/prebuilt';
import { z } from 'zod';
import type { LoadedGraph } from '../../agents/index.js';
import { watchedGraph, withWatcher, type NodeWatcher } from '../../steps/watched-graph.js';
import { watchToolModule } from '../../steps/watched-tools.js';

const Log = Annotation.Root({ log: Annotation<string[]>({ reducer: (a, b) => a.concat(b), default: () => [] }) });

/** How often the query of the current case has been executed. */
let executions = 0;

/** A query as Knex, Drizzle, Mongoose and Prisma have it: `then` executes it. */
function query(result: unknown): never {
  const lazy = {
    then(resolve: (value: unknown) => void, reject: (error: unknown) => void) {
      executions += 1;
      return Promise.resolve(result).then(resolve, reject);
    },
  };
  return lazy as never;
}

/** A promise whose `then` executes a query, as the SDKs of some model providers have it. */
class LazyPromise extends Promise<unknown> {
  override then(...handlers: Parameters<Promise<unknown>['then']>): never {
    executions += 1;
    return super.then(...handlers) as never;
  }
}

const node = (code: unknown) =>
  new StateGraph(Log)
    .addNode('save', code as never)
    .addEdge(START, 'save')
    .compile();
const save = task('save', () => query('task') as unknown as string);
const saveTool = tool(() => query('tool') as unknown as string, {
  name: 'save',
  description: 'Saves.',
  schema: z.object({}),
});
const toolGraph = () =>
  new StateGraph(MessagesAnnotation)
    .addNode('tools', new ToolNode([saveTool]))
    .addEdge(START, 'tools')
    .compile();
const callTool = new AIMessage({ id: 'ai', content: '', tool_calls: [{ id: 'call', name: 'save', args: {} }] });

/** What returns the query, the graph, and its input. */
const RETURNED_BY: Record<string, [graph: () => unknown, input: unknown]> = {
  'a node': [() => node(() => query({ log: ['node'] })), {}],
  'an async node': [() => node(async () => query({ log: ['node'] })), {}],
  'a runnable': [() => node(RunnableLambda.from(() => query({ log: ['runnable'] }))), {}],
  'a node, as a class of promises': [() => node(() => LazyPromise.resolve({ log: ['promise'] })), {}],
  'a node, as a function': [
    () => node(() => Object.assign(() => undefined, { then: query({ log: ['function'] })['then'] })),
    {},
  ],
  'a conditional edge': [
    () =>
      new StateGraph(Log)
        .addNode('save', () => ({}))
        .addEdge(START, 'save')
        .addConditionalEdges('save', () => query(END))
        .compile(),
    {},
  ],
  'a tool': [toolGraph, { messages: [callTool] }],
  'an entrypoint': [() => entrypoint('main', () => query({ log: ['entrypoint'] }) as object), {}],
  'a task': [() => entrypoint('main', async () => ({ log: [await save()] })), {}],
};

function watcher(): NodeWatcher & { running: number; tools: number; most: number } {
  const counts = {
    running: 0,
    tools: 0,
    most: 0,
    enter: () => undefined,
    started: () => () => undefined,
    codeStarted: () => {
      counts.running += 1;
      return () => void (counts.running -= 1);
    },
    toolStarted: () => {
      counts.tools += 1;
      counts.most = Math.max(counts.most, counts.tools);
      return () => void (counts.tools -= 1);
    },
  };
  return counts;
}

/** Lets a node wait for a moment at the gate, as after a pause. */
const waiting = { enter: () => new Promise<void>((resolve) => setImmediate(resolve)) };

async function outcomeOf(graph: LoadedGraph, input: unknown): Promise<unknown> {
  executions = 0;
  try {
    const text = JSON.stringify(await graph.invoke(input as never)).replaceAll(/"id":"[-0-9a-f]{36}"/g, '"id":"<id>"');
    return { output: JSON.parse(text) as unknown, executions };
  } catch (error) {
    return { error: (error as Error).message, executions };
  }
}

describe.each(Object.entries(RETURNED_BY))('a query that is returned by %s', (_, [make, input]) => {
  it.each([
    ['without a pause', {}],
    ['after a pause', waiting],
  ])('is executed as often as in LangGraph alone, with the same result: %s', async (_how, gate) => {
    const expected = await outcomeOf(make() as LoadedGraph, input);
    expect(expected).toMatchObject({ executions: 1 });
    const counts = Object.assign(watcher(), gate);
    const actual = await withWatcher(counts, () => outcomeOf(watchedGraph(make() as LoadedGraph, counts), input));
    expect(actual).toEqual(expected);
    expect(counts).toMatchObject({ running: 0, tools: 0 });
  });
});

describe.each([
  ['throws', () => ({ then: () => void fail('then throws') })],
  ['cannot be read', () => Object.defineProperty({}, 'then', { get: () => fail('then cannot be read') })],
  ['is no function', () => ({ log: ['x'], then: 1 })],
])('a result of a node whose `then` %s', (_, result) => {
  it('has the same consequences as in LangGraph alone, and the node counts as returned', async () => {
    const expected = await outcomeOf(node(result) as never, {});
    const counts = watcher();
    const actual = await withWatcher(counts, () => outcomeOf(watchedGraph(node(result) as never, counts), {}));
    expect(actual).toEqual(expected);
    expect(counts.running).toBe(0);
  });
});

function fail(message: string): never {
  throw new Error(message);
}

describe('a tool', () => {
  const call = async (counts: NodeWatcher, graph: unknown, input: unknown) =>
    withWatcher(counts, () => watchedGraph(graph as LoadedGraph, counts).invoke(input as never));

  it('is counted while it runs, in a node for tools and inside of a function', async () => {
    const inNode = watcher();
    await call(inNode, toolGraph(), { messages: [callTool] });
    const inFunction = watcher();
    await call(
      inFunction,
      node(async () => ({ log: [await saveTool.invoke({})] })),
      {},
    );
    expect([inNode, inFunction].map(({ most, tools }) => [most, tools])).toEqual([
      [1, 0],
      [1, 0],
    ]);
  });

  it('is counted if it comes from another copy of LangChain that is known only from the graph', async () => {
    // A class as that of LangChain, with another name, as in a project that was bundled.
    class S {
      name = 'save';
      lc_runnable = true;
      async invoke(input: unknown, config: unknown): Promise<unknown> {
        return this.call(input, config);
      }
      async call(..._: unknown[]): Promise<unknown> {
        return 'copied';
      }
    }
    class Copied extends S {
      override call(...all: unknown[]): Promise<unknown> {
        return super.call(...all);
      }
    }
    const counts = watcher();
    const copied = new ToolNode([new Copied() as never]);
    const graph = new StateGraph(MessagesAnnotation).addNode('tools', copied).addEdge(START, 'tools').compile();
    await call(counts, graph, { messages: [callTool] });
    await call(counts, graph, { messages: [callTool] });
    expect([counts.most, counts.tools]).toEqual([1, 0]);
  });

  it('is counted once, however often its class is announced', async () => {
    watchToolModule({ StructuredTool });
    watchToolModule({ StructuredTool });
    const counts = watcher();
    await withWatcher(counts, () => saveTool.invoke({}));
    expect([counts.most, counts.tools]).toEqual([1, 0]);
  });

  it('is not counted outside of a run, and returns the same', async () => {
    expect(await saveTool.invoke({})).toBe('tool');
  });
});
