import type { LoadedGraph } from '../agents/index.js';
import { ColloquyError, errorCode } from '../protocol/index.js';
import { describeError } from './failure.js';
import type { Task, TaskRunner } from './task-runner.js';
import { attempt, readField } from './thrown-value.js';

/** Errors of tasks that have a retry policy of their own. LangGraph has used this policy up. */
const exhausted = new WeakSet<object>();
const MAX_DEPTH = 5;

/**
 * Makes a runner report the errors of tasks that have a retry policy of LangGraph. LangGraph's
 * events do not tell whether a task has a policy: that of a functional `task({ retry })` is known
 * only to the runner, and a graph that a function calls has no known nodes. The runner gets each
 * error as it was thrown, so no error has to be recognised by its text.
 */
export function watchRunner(graph: LoadedGraph, runner: TaskRunner): void {
  const commit = runner._commit;
  runner._commit = (task, error) => {
    if (hasOwnPolicy(graph, task)) note(error);
    return commit.call(runner, task, error);
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
  const errors = readField(error, 'errors');
  const listed = Array.isArray(errors) ? attempt(() => Array.from(errors as unknown[])) : undefined;
  const inner = [readField(error, 'cause'), ...(listed ?? [])];
  return inner.some((one) => isExhausted(one, depth + 1));
}
