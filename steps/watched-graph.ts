import type { Runnable, RunnableConfig } from '@langchain/core/runnables';
import { copyGraph, type LoadedGraph } from '../agents/index.js';
import { subgraphOf } from './node-options.js';

/** What a step does around the nodes of its graph. */
export interface NodeWatcher {
  /**
   * Called before a node of the checkpoint namespace `ns` starts, and before its callbacks are
   * called. If the result is a promise, the node waits for it, and fails if it rejects.
   */
  enter(ns: string): Promise<void> | undefined;
  /**
   * Called when the code of a node starts. The returned function is called when the code has
   * returned. This may be long after LangGraph has given the node up, because LangGraph does not
   * wait for a node whose signal has fired.
   */
  started(graph: LoadedGraph, node: string): () => void;
}

type Invoke = (input: unknown, config?: RunnableConfig) => Promise<unknown>;
type Code = (...args: unknown[]) => unknown;

/** The members of LangGraph's `PregelNode` that are replaced. */
interface GraphNode {
  bound: Runnable;
  getNode(): Runnable | undefined;
}

/**
 * Returns a copy of a graph whose nodes, and those of its subgraphs, call the watcher. The original
 * is not changed, because other runs share it.
 */
export function watchedGraph(graph: LoadedGraph, watcher: NodeWatcher): LoadedGraph {
  const copy = copyGraph(graph);
  const nodes = Object.entries(graph.nodes as unknown as Record<string, GraphNode>).map(([name, node]) => [
    name,
    watchedNode(graph, name, node, watcher),
  ]);
  Object.assign(copy, { nodes: Object.fromEntries(nodes) as object });
  return copy;
}

function watchedNode(graph: LoadedGraph, name: string, node: GraphNode, watcher: NodeWatcher): GraphNode {
  const inner = subgraphOf(graph, name);
  const bound = inner === undefined ? watchedCode(graph, name, node.bound, watcher) : watchedGraph(inner, watcher);
  // The new object inherits everything else from the original node.
  const watched = Object.create(node, {
    bound: { value: bound, enumerable: true },
    getNode: { value: () => gated(node.getNode.call(watched), watcher) },
  }) as GraphNode;
  return watched;
}

/** Returns the runnable of a node, which waits at the gate before it runs. */
function gated(runnable: Runnable | undefined, watcher: NodeWatcher): Runnable | undefined {
  if (runnable === undefined) return undefined;
  const invoke: Invoke = (input, config) => {
    const wait = watcher.enter(namespaceOf(config));
    // LangGraph streams some objects before it completes them. So the node must not end later than in
    // LangGraph alone: without a wait no promise is added, and with one as few as possible.
    if (wait === undefined) return runnable.invoke(input, config);
    return new Promise((resolve, reject) => {
      wait.then(() => void runnable.invoke(input, config).then(resolve, reject), reject);
    });
  };
  return Object.create(runnable, { invoke: { value: invoke } }) as Runnable;
}

/**
 * Returns the code of a node as a runnable that tells the watcher when the code starts and returns.
 * Most nodes keep their code in `func`. Watching only `invoke` would not do, because LangGraph's
 * runnables return as soon as the signal of the run fires.
 */
function watchedCode(graph: LoadedGraph, name: string, bound: Runnable, watcher: NodeWatcher): Runnable {
  const { func } = bound as { func?: unknown };
  const member = typeof func === 'function' ? 'func' : 'invoke';
  const code = (bound as unknown as Record<string, Code | undefined>)[member];
  if (typeof code !== 'function') return bound;
  const watched: Code = (...args) => {
    const returned = watcher.started(graph, name);
    try {
      const result = code.apply(bound, args);
      if (!isPromise(result)) {
        returned();
        return result;
      }
      result.then(returned, returned);
      return result;
    } catch (error) {
      returned();
      throw error;
    }
  };
  return Object.create(bound, { [member]: { value: watched, enumerable: true } }) as Runnable;
}

function isPromise(value: unknown): value is Promise<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/**
 * Returns the checkpoint namespace of the graph that runs a task. LangGraph's config has the
 * namespace of the task, which is one segment longer: `agent:1b2c` for a task of the root graph.
 */
function namespaceOf(config: RunnableConfig | undefined): string {
  const ns = (config?.configurable?.checkpoint_ns as string | undefined) ?? '';
  return ns.includes('|') ? ns.slice(0, ns.lastIndexOf('|')) : '';
}
