import type { LoadedGraph } from '../agents/index.js';
import { subgraphOf } from './node-options.js';
import { readField } from './thrown-value.js';

/** The parts of LangGraph's task that this module reads and changes. */
interface Task {
  writes: [channel: string, value: unknown][];
  cache_key?: unknown;
}

interface Runner {
  /** Errors that a node's error handler gets. They do not end the superstep. */
  handledExceptions?: WeakSet<object>;
  _commit: (this: Runner, task: Task, error?: unknown) => void;
}

interface GraphClass {
  _runLoop: (this: LoadedGraph, params: { runner: Runner }) => Promise<void>;
}

const RESUME = '__resume__';
const guarded = new WeakSet<object>();

/**
 * Makes the class of the graph, which also runs its subgraphs and the graphs that nodes call, keep
 * only the results of finished tasks. When a step is retried, LangGraph takes a task with a stored
 * result as finished. LangGraph alone would also keep
 *
 * - an empty result of a task that has not run, because another task failed before there was room
 *   for it (`maxConcurrency`);
 * - in the node cache, the writes of a task whose conditional edge failed, for all later runs;
 * - the writes of a task whose conditional edge called a graph that was drained.
 *
 * The saver keeps the other writes of failed tasks apart.
 */
export function keepOnlyResults(graph: LoadedGraph): void {
  for (const node of Object.keys(graph.nodes)) {
    const inner = subgraphOf(graph, node);
    if (inner !== undefined) keepOnlyResults(inner);
  }
  const owner = ownerOf(graph, '_runLoop') as GraphClass | undefined;
  if (owner === undefined || guarded.has(owner)) return;
  guarded.add(owner);
  const run = owner._runLoop;
  owner._runLoop = function (params) {
    guardCommit(params.runner);
    return run.call(this, params);
  };
}

function guardCommit(runner: Runner): void {
  const commit = runner._commit;
  let hasFailed = false;
  runner._commit = (task, error) => {
    if (error === undefined) {
      if (!hasFailed || task.writes.length > 0) commit.call(runner, task, error);
      return;
    }
    delete task.cache_key;
    const isPause = readField(error, 'is_bubble_up') === true;
    if (readField(error, 'name') === 'GraphDrained') dropOutput(task);
    commit.call(runner, task, error);
    hasFailed ||= !isPause && runner.handledExceptions?.has(error as object) !== true;
  };
}

/** Removes the task's output. The answers to its interrupts are kept. */
function dropOutput({ writes }: Task): void {
  writes.splice(0, writes.length, ...writes.filter(([channel]) => channel === RESUME));
}

function ownerOf(graph: LoadedGraph, method: string): object | undefined {
  for (let at: unknown = graph; typeof at === 'object' && at !== null; at = Object.getPrototypeOf(at)) {
    if (Object.hasOwn(at, method)) return at;
  }
  return undefined;
}
