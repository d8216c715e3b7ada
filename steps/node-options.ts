import { isCompiledGraph, type LoadedGraph } from '../agents/index.js';
import { ColloquyError, DEFAULT_STEP_OPTIONS, type StepOptions } from '../protocol/index.js';

interface RetryMetadata {
  maximumAttempts?: number;
  initialInterval?: string | number;
  backoffCoefficient?: number;
  maximumInterval?: string | number;
  nonRetryableErrors?: string[];
}

/**
 * The object that the author of a graph sets as `metadata.temporal` of a node. A duration is a
 * number of ms, or a string such as `500ms`, `30s`, `5m`, `2h`.
 */
interface TemporalMetadata {
  startToCloseTimeout?: string | number;
  heartbeatTimeout?: string | number;
  taskQueue?: string;
  retry?: RetryMetadata;
}

const UNITS: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * Returns the activity options of one node. Options that its `metadata.temporal` does not set come
 * from `defaults`. Errors: `invalid_argument`, with a message that names the node and the value.
 */
export function nodeOptions(graph: LoadedGraph, node: string, defaults = DEFAULT_STEP_OPTIONS): StepOptions {
  const metadata = temporalMetadata(graph, node);
  if (metadata === undefined) return defaults;
  const { retry } = metadata;
  const ms = <T>(field: string, value: string | number | undefined, otherwise: T) =>
    value === undefined ? otherwise : duration(`metadata.temporal.${field} of node ${node}`, value);
  const limit = ms('startToCloseTimeout', metadata.startToCloseTimeout, defaults.startToCloseTimeoutMs);
  return {
    ...(limit !== undefined && { startToCloseTimeoutMs: limit }),
    heartbeatTimeoutMs: ms('heartbeatTimeout', metadata.heartbeatTimeout, defaults.heartbeatTimeoutMs),
    maximumAttempts: retry?.maximumAttempts ?? defaults.maximumAttempts,
    initialIntervalMs: ms('retry.initialInterval', retry?.initialInterval, defaults.initialIntervalMs),
    backoffCoefficient: retry?.backoffCoefficient ?? defaults.backoffCoefficient,
    maximumIntervalMs: ms('retry.maximumInterval', retry?.maximumInterval, defaults.maximumIntervalMs),
    ...(retry !== undefined && { retryAll: true }),
    ...(retry?.nonRetryableErrors !== undefined && { nonRetryableErrors: retry.nonRetryableErrors }),
    ...(metadata.taskQueue !== undefined && { taskQueue: metadata.taskQueue }),
  };
}

/**
 * Returns one set of activity options for nodes that run in parallel, because they run in one
 * activity. Takes the longest timeouts, the fewest attempts and the longest pauses between
 * attempts. If one of the nodes has no time limit, the step has none. Errors: `invalid_argument` if
 * the nodes have different task queues.
 */
export function mergeOptions(all: { node: string; options: StepOptions }[]): StepOptions | undefined {
  return all.reduce<{ node: string; options: StepOptions } | undefined>((merged, one) => {
    if (merged === undefined) return one;
    const [a, b] = [merged.options, one.options];
    if (a.taskQueue !== b.taskQueue) {
      throw new ColloquyError(
        'invalid_argument',
        `nodes ${merged.node} and ${one.node} run in one step but want task queues ${a.taskQueue ?? '(default)'} and ${b.taskQueue ?? '(default)'}`,
      );
    }
    const nonRetryable = [...new Set([...(a.nonRetryableErrors ?? []), ...(b.nonRetryableErrors ?? [])])];
    const options: StepOptions = {
      ...longestLimit(a, b),
      heartbeatTimeoutMs: Math.max(a.heartbeatTimeoutMs, b.heartbeatTimeoutMs),
      maximumAttempts: Math.min(a.maximumAttempts, b.maximumAttempts),
      initialIntervalMs: Math.max(a.initialIntervalMs, b.initialIntervalMs),
      backoffCoefficient: Math.max(a.backoffCoefficient, b.backoffCoefficient),
      maximumIntervalMs: Math.max(a.maximumIntervalMs, b.maximumIntervalMs),
      ...(a.retryAll && b.retryAll && { retryAll: true }),
      ...(nonRetryable.length > 0 && { nonRetryableErrors: nonRetryable }),
      ...(a.taskQueue !== undefined && { taskQueue: a.taskQueue }),
    };
    return { node: `${merged.node}, ${one.node}`, options };
  }, undefined)?.options;
}

type TimeLimit = Pick<StepOptions, 'startToCloseTimeoutMs'>;

function longestLimit({ startToCloseTimeoutMs: a }: TimeLimit, { startToCloseTimeoutMs: b }: TimeLimit): TimeLimit {
  return a === undefined || b === undefined ? {} : { startToCloseTimeoutMs: Math.max(a, b) };
}

/**
 * Returns whether a node of the graph has `metadata.temporal`. Also looks at the nodes of subgraphs
 * that were added as nodes.
 */
export function hasNodeOptions(graph: LoadedGraph): boolean {
  return Object.keys(graph.nodes).some((name) => {
    const inner = subgraphOf(graph, name);
    return temporalMetadata(graph, name) !== undefined || (inner !== undefined && hasNodeOptions(inner));
  });
}

/**
 * Returns the compiled graph that was added as this node. Returns undefined for a function, even if
 * the function calls a graph. Also returns undefined for a `RemoteGraph`, because its supersteps
 * are committed on another server.
 */
export function subgraphOf(graph: LoadedGraph, node: string): LoadedGraph | undefined {
  const bound = (graph.nodes as Record<string, { bound?: unknown } | undefined>)[node]?.bound;
  return isCompiledGraph(bound) ? bound : undefined;
}

/**
 * Returns the subgraph whose checkpoint namespace is `ns`, such as `agent:1b2c|tools:3d4e`. For
 * `''`, returns `graph` itself. Returns undefined if a node on the path is not a compiled graph.
 */
export function graphAt(graph: LoadedGraph, ns: string): LoadedGraph | undefined {
  if (ns === '') return graph;
  return ns
    .split('|')
    .reduce<LoadedGraph | undefined>((at, segment) => at && subgraphOf(at, segment.split(':')[0] ?? ''), graph);
}

function temporalMetadata(graph: LoadedGraph, node: string): TemporalMetadata | undefined {
  const nodes = graph.nodes as Record<string, { metadata?: Record<string, unknown> } | undefined>;
  const value = nodes[node]?.metadata?.temporal;
  if (value === undefined) return undefined;
  if (typeof value === 'object' && value !== null) return value;
  throw new ColloquyError(
    'invalid_argument',
    `metadata.temporal of node ${node} is ${JSON.stringify(value)}; expected an object`,
  );
}

function duration(field: string, value: string | number): number {
  if (typeof value === 'number' && value >= 0) return value;
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)$/.exec(String(value));
  if (match) return Math.round(Number(match[1]) * (UNITS[match[2] ?? ''] ?? 1));
  throw new ColloquyError(
    'invalid_argument',
    `${field} is ${JSON.stringify(value)}; expected ms or text such as 500ms, 30s, 5m, 2h`,
  );
}
