import { describe, expect, it } from '@jest/globals';
import { RunnableLambda, type RunnableLike } from '@langchain/core/runnables';
import { Annotation, START, StateGraph } from '@langchain/langgraph';
import { RemoteGraph } from '@langchain/langgraph/remote';
import type { LoadedGraph } from '../../agents/index.js';
import { DEFAULT_STEP_OPTIONS } from '../../protocol/index.js';
import { graphAt, hasNodeOptions, mergeOptions, nodeOptions, subgraphOf } from '../../steps/node-options.js';

const State = Annotation.Root({ n: Annotation<number> });

function graph(temporal?: unknown): LoadedGraph {
  const options = temporal === undefined ? {} : { metadata: { temporal } };
  return new StateGraph(State)
    .addNode('a', () => ({ n: 1 }), options)
    .addEdge(START, 'a')
    .compile() as unknown as LoadedGraph;
}

describe('the activity options of a graph node', () => {
  it('are the defaults if the node sets none', () => {
    expect(nodeOptions(graph(), 'a')).toEqual(DEFAULT_STEP_OPTIONS);
    expect(hasNodeOptions(graph())).toBe(false);
  });

  it('come from metadata.temporal, with durations in milliseconds or as text', () => {
    const options = nodeOptions(
      graph({
        startToCloseTimeout: '5m',
        heartbeatTimeout: 2500,
        taskQueue: 'gpu',
        retry: { maximumAttempts: 3, initialInterval: '500ms' },
      }),
      'a',
    );
    expect(options).toMatchObject({
      startToCloseTimeoutMs: 300_000,
      heartbeatTimeoutMs: 2_500,
      taskQueue: 'gpu',
      maximumAttempts: 3,
      initialIntervalMs: 500,
      retryAll: true,
    });
  });

  it('are found in subgraphs too', () => {
    const outer = new StateGraph(State)
      .addNode('sub', graph({ taskQueue: 'q' }) as never)
      .addEdge(START, 'sub')
      .compile();
    expect(hasNodeOptions(outer as unknown as LoadedGraph)).toBe(true);
  });

  it.each([
    [{ startToCloseTimeout: 'soon' }, /startToCloseTimeout of node a is "soon"; expected/],
    ['fast', /metadata.temporal of node a is "fast"; expected an object/],
  ])('are refused if metadata.temporal is %j', (temporal, message) => {
    expect(() => nodeOptions(graph(temporal), 'a')).toThrow(message);
  });

  it('are merged for parallel nodes: the longest timeout and the strictest retry policy', () => {
    const a = { ...DEFAULT_STEP_OPTIONS, startToCloseTimeoutMs: 10, maximumAttempts: 2, retryAll: true };
    const b = { ...DEFAULT_STEP_OPTIONS, startToCloseTimeoutMs: 20, maximumAttempts: 9 };
    const merged = mergeOptions([
      { node: 'a', options: a },
      { node: 'b', options: b },
    ]);
    expect(merged).toMatchObject({ startToCloseTimeoutMs: 20, maximumAttempts: 2 });
    expect(merged?.retryAll).toBeUndefined();
  });

  it('have no time limit if no node sets one, or if one of several parallel nodes sets none', () => {
    const limited = { node: 'a', options: nodeOptions(graph({ startToCloseTimeout: '1m' }), 'a') };
    const unlimited = { node: 'b', options: nodeOptions(graph({ heartbeatTimeout: '5s' }), 'a') };
    expect(limited.options.startToCloseTimeoutMs).toBe(60_000);
    expect(unlimited.options).toEqual({ ...DEFAULT_STEP_OPTIONS, heartbeatTimeoutMs: 5_000 });
    for (const nodes of [
      [limited, unlimited],
      [unlimited, limited],
    ]) {
      expect(mergeOptions(nodes)).not.toHaveProperty('startToCloseTimeoutMs');
    }
    expect(mergeOptions([limited, limited])).toHaveProperty('startToCloseTimeoutMs', 60_000);
    expect(DEFAULT_STEP_OPTIONS).not.toHaveProperty('startToCloseTimeoutMs');
  });

  it('are refused if parallel nodes name different task queues', () => {
    const all = [
      { node: 'a', options: { ...DEFAULT_STEP_OPTIONS, taskQueue: 'x' } },
      { node: 'b', options: DEFAULT_STEP_OPTIONS },
    ];
    expect(() => mergeOptions(all)).toThrow(/nodes a and b run in one step but want task queues x and \(default\)/);
  });
});

describe('a node', () => {
  const inner = graph({ taskQueue: 'q' });
  const remote = new RemoteGraph({ graphId: 'far', url: 'http://127.0.0.1:1' });
  const first = RunnableLambda.from((state: { n: number }) => state);
  const holding = (node: unknown) =>
    new StateGraph(State)
      .addNode('node', node as RunnableLike<typeof State.State>)
      .addEdge(START, 'node')
      .compile() as unknown as LoadedGraph;

  it.each([
    ['a compiled graph', inner],
    ['a compiled graph with a config', inner.withConfig({ tags: ['bound'] })],
    ['a proxy of a compiled graph', new Proxy(inner, {})],
  ])('that is %s is a subgraph, which has node options', (_what, node) => {
    const outer = holding(node);
    expect(subgraphOf(outer, 'node')).toBe(node);
    expect(graphAt(outer, 'node:1b2c')).toBe(node);
    expect(hasNodeOptions(outer)).toBe(true);
  });

  it.each([
    ['a RemoteGraph', remote],
    ['a RemoteGraph with a config', remote.withConfig({ tags: ['bound'] })],
    ['a sequence that ends with a compiled graph', first.pipe(inner as never)],
    ['a sequence that ends with a RemoteGraph', first.pipe(remote)],
    ['a compiled graph with retries of its own', inner.withRetry({ stopAfterAttempt: 2 })],
    ['a function', () => ({ n: 1 })],
  ])('that is %s is no subgraph', (_what, node) => {
    const outer = holding(node);
    expect(subgraphOf(outer, 'node')).toBeUndefined();
    expect(graphAt(outer, 'node:1b2c')).toBeUndefined();
    expect(hasNodeOptions(outer)).toBe(false);
    expect(nodeOptions(outer, 'node')).toEqual(DEFAULT_STEP_OPTIONS);
  });
});
