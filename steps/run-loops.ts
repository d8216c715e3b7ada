import type { LoadedGraph } from '../agents/index.js';
import { subgraphOf } from './node-options.js';
import { watchRunner } from './own-retries.js';
import { serveStore } from './store-queue.js';
import { keepOnlyResults } from './task-results.js';
import type { TaskRunner } from './task-runner.js';

interface LoopParameters {
  runner: TaskRunner;
  loop?: { store?: unknown };
}

interface GraphClass {
  _runLoop: (this: LoadedGraph, params: LoopParameters) => Promise<void>;
}

const prepared = new WeakSet<object>();

/**
 * Prepares each loop in which the class of the graph will run tasks. The class also runs the
 * subgraphs and the graphs that a node calls, so their loops are prepared too.
 */
export function prepareLoops(graph: LoadedGraph): void {
  for (const node of Object.keys(graph.nodes)) {
    const inner = subgraphOf(graph, node);
    if (inner !== undefined) prepareLoops(inner);
  }
  const owner = ownerOf(graph, '_runLoop') as GraphClass | undefined;
  if (owner === undefined || prepared.has(owner)) return;
  prepared.add(owner);
  const run = owner._runLoop;
  owner._runLoop = function (params) {
    keepOnlyResults(params.runner);
    watchRunner(this, params.runner);
    serveStore(params.loop?.store);
    return run.call(this, params);
  };
}

function ownerOf(graph: LoadedGraph, method: string): object | undefined {
  for (let at: unknown = graph; typeof at === 'object' && at !== null; at = Object.getPrototypeOf(at)) {
    if (Object.hasOwn(at, method)) return at;
  }
  return undefined;
}
