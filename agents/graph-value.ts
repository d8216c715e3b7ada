import type { Pregel } from '@langchain/langgraph';

type PregelNodes = ConstructorParameters<typeof Pregel>[0]['nodes'];
type PregelChannels = ConstructorParameters<typeof Pregel>[0]['channels'];

/**
 * A compiled graph. Its class may come from any copy of LangGraph that the project has installed,
 * so code must not test a graph with `instanceof`.
 */
export type LoadedGraph = Pregel<PregelNodes, PregelChannels>;

/**
 * Returns a value as a compiled graph. The value is the export of a module, or the result of a
 * graph factory. Returns undefined if the value is not a graph.
 */
export function toCompiledGraph(value: unknown): LoadedGraph | undefined {
  if (!isObject(value)) return undefined;
  if (typeof value.compile === 'function') return toCompiledGraph((value as { compile(): unknown }).compile());
  // The result of `createAgent` looks like a graph, but it wraps a graph. The wrapped graph is the
  // one to run.
  if (isCompiledGraph(value.graph)) return value.graph;
  return isCompiledGraph(value) ? value : undefined;
}

/**
 * Returns a copy of a graph. The caller may set the checkpointer and the store of the copy without
 * a change to the original, which other callers share.
 */
export function copyGraph(graph: LoadedGraph): LoadedGraph {
  // Not `Object.create`, because only Pregel's constructor can make Pregel's private members.
  return graph.withConfig({});
}

/** Describes a value that is not a graph, for an error message. */
export function describeValue(value: unknown): string {
  if (value === undefined || value === null) return String(value);
  if (typeof value !== 'object') return `a value of type ${typeof value}`;
  const name = (value as { constructor?: { name?: string } }).constructor?.name;
  if (name === 'RemoteGraph') return 'a RemoteGraph, which runs on another server and cannot be stepped here';
  return Array.isArray(value) ? 'an array' : `an object of class ${name ?? 'unknown'} that is no graph`;
}

/**
 * Returns whether a value is a compiled graph that runs in this process. A `RemoteGraph` also has
 * LangGraph's mark of a graph, but it has no nodes and no channels, because it runs on another
 * server.
 */
export function isCompiledGraph(value: unknown): value is LoadedGraph {
  return isObject(value) && value.lg_is_pregel === true && isObject(value.nodes) && isObject(value.channels);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
