import type { Runnable, RunnableConfig } from '@langchain/core/runnables';
import { copyGraph, type LoadedGraph } from '../agents/index.js';
import { subgraphOf } from './node-options.js';
import { currentWatcher, type NodeWatcher } from './node-watcher.js';
import { callWatched } from './watched-call.js';
import { watchToolsOf } from './watched-tools.js';

export { withWatcher, type NodeWatcher } from './node-watcher.js';

type Invoke = (input: unknown, config?: RunnableConfig) => Promise<unknown>;
type Code = (this: unknown, ...args: unknown[]) => unknown;

/** The members of LangGraph's `PregelNode` that are replaced. */
interface GraphNode {
  bound: Runnable;
  getNode(): Runnable | undefined;
}

/** Runnables whose code calls the watcher of its run. All runs of this process share them. */
const watchedCode = new WeakSet<object>();

/**
 * Returns a copy of a graph whose nodes, and those of its subgraphs, call the watcher. The original
 * has the same nodes, because other runs share it.
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
  if (inner === undefined) {
    watchCode(node.bound);
    watchToolsOf(node.bound);
  }
  // The new object inherits everything else from the original node.
  const watched = Object.create(node, {
    ...(inner !== undefined && { bound: { value: watchedGraph(inner, watcher), enumerable: true } }),
    getNode: { value: () => gated(graph, name, node.getNode.call(watched), watcher) },
  }) as GraphNode;
  return watched;
}

/** Returns the runnable of a node, which waits at the gate before it runs. */
function gated(
  graph: LoadedGraph,
  name: string,
  runnable: Runnable | undefined,
  watcher: NodeWatcher,
): Runnable | undefined {
  if (runnable === undefined) return undefined;
  const run: Invoke = (input, config) => {
    const ended = watcher.started(graph, name);
    return callWatched(() => runnable.invoke(input, config), ended);
  };
  const invoke: Invoke = (input, config) => {
    const wait = watcher.enter(namespaceOf(config));
    // LangGraph streams some objects before it completes them. So the node must not end later than in
    // LangGraph alone: without a wait no promise is added, and with one as few as possible.
    if (wait === undefined) return run(input, config);
    return new Promise((resolve, reject) => {
      wait.then(() => pass(() => run(input, config), resolve, reject), reject);
    });
  };
  return Object.create(runnable, { invoke: { value: invoke } }) as Runnable;
}

/** Passes the result of a node on. A runnable of a project may also return no promise, or throw. */
function pass(run: () => unknown, resolve: (result: unknown) => void, reject: (error: unknown) => void): void {
  try {
    const result = run();
    if (result instanceof Promise) result.then(resolve, reject);
    else resolve(result);
  } catch (error) {
    reject(error);
  }
}

/**
 * Lets the code of a node tell the watcher of its run when it starts and returns. Most nodes keep
 * their code in `func`. It is replaced in the runnable itself: an object that inherits from the
 * runnable would lack its private members.
 */
function watchCode(bound: Runnable): void {
  const { func } = bound as { func?: unknown };
  if (typeof func !== 'function' || watchedCode.has(bound) || Object.isFrozen(bound)) return;
  watchedCode.add(bound);
  const code = func as Code;
  const watched: Code = function (...args) {
    const returned = currentWatcher()?.codeStarted();
    return returned === undefined ? code.apply(this, args) : callWatched(() => code.apply(this, args), returned);
  };
  Object.assign(bound, { func: watched });
}

/**
 * Returns the checkpoint namespace of the graph that runs a task. LangGraph's config has the
 * namespace of the task, which is one segment longer: `agent:1b2c` for a task of the root graph.
 */
function namespaceOf(config: RunnableConfig | undefined): string {
  const ns = (config?.configurable?.checkpoint_ns as string | undefined) ?? '';
  return ns.includes('|') ? ns.slice(0, ns.lastIndexOf('|')) : '';
}
