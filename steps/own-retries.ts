import type { LoadedGraph } from '../agents/index.js';
import { ColloquyError, errorCode } from '../protocol/index.js';
import { describeError } from './failure.js';
import { subgraphOf } from './node-options.js';

/** The parts of LangGraph's task that this module reads. */
interface Task {
  name: unknown;
  retry_policy?: unknown;
}

interface Runner {
  _commit: (this: Runner, task: Task, error?: unknown) => void;
}

interface GraphClass {
  _runLoop: (this: LoadedGraph, params: { runner: Runner }) => Promise<void>;
}

const watched = new WeakSet<object>();
/** Errors of tasks that have a retry policy of their own. LangGraph has used this policy up. */
const exhausted = new WeakSet<object>();
const MAX_DEPTH = 5;

/**
 * Makes the class of the graph report the errors of tasks that have a retry policy of LangGraph.
 * The class also runs the subgraphs and the graphs that a node calls, so their tasks are reported
 * too. LangGraph's events do not tell whether a task has a policy: that of a functional
 * `task({ retry })` is known only to the runner, and a graph that a function calls has no known
 * nodes. The runner gets each error as it was thrown, so no error has to be recognised by its text.
 */
export function watchRetries(graph: LoadedGraph): void {
  for (const node of Object.keys(graph.nodes)) {
    const inner = subgraphOf(graph, node);
    if (inner !== undefined) watchRetries(inner);
  }
  const owner = ownerOf(graph, '_runLoop') as GraphClass | undefined;
  if (owner === undefined || watched.has(owner)) return;
  watched.add(owner);
  const run = owner._runLoop;
  owner._runLoop = function (params) {
    const { runner } = params;
    const commit = runner._commit;
    runner._commit = (task, error) => {
      if (hasOwnPolicy(this, task)) note(error);
      return commit.call(runner, task, error);
    };
    return run.call(this, params);
  };
}

/**
 * Returns an error that ends the run if a task with a retry policy of its own threw `error` or one
 * of its causes. Otherwise returns `error` itself. An error of Colloquy's own parts is returned
 * unchanged, because the policy of a node is not about them.
 */
export function finalIfExhausted(error: unknown): unknown {
  const code = errorCode(error);
  if ((code !== undefined && code !== 'graph_transient') || !isExhausted(error)) return error;
  const { error: errorName, message } = describeError(error);
  return new ColloquyError('graph_failed', message, { cause: error, errorName });
}

/**
 * Returns whether the task's node, functional task or graph has a retry policy. If the node also
 * has `metadata.temporal.retry`, returns false, because then the step is retried as that says.
 */
function hasOwnPolicy(graph: LoadedGraph, { name, retry_policy: policy }: Task): boolean {
  if ((policy ?? graph.retryPolicy) === undefined) return false;
  const nodes = graph.nodes as Record<string, { metadata?: { temporal?: { retry?: unknown } } } | undefined>;
  return nodes[String(name)]?.metadata?.temporal?.retry === undefined;
}

function note(error: unknown): void {
  if (typeof error === 'object' && error !== null) exhausted.add(error);
}

function isExhausted(error: unknown, depth = 0): boolean {
  if (typeof error !== 'object' || error === null || depth > MAX_DEPTH) return false;
  if (exhausted.has(error)) return true;
  const { cause, errors } = error as { cause?: unknown; errors?: unknown };
  const inner = [cause, ...(Array.isArray(errors) ? (errors as unknown[]) : [])];
  return inner.some((one) => isExhausted(one, depth + 1));
}

function ownerOf(graph: LoadedGraph, method: string): object | undefined {
  for (let at: unknown = graph; typeof at === 'object' && at !== null; at = Object.getPrototypeOf(at)) {
    if (Object.hasOwn(at, method)) return at;
  }
  return undefined;
}
