import { importFromLibrary, type GraphEntry, type LoadedGraph } from '../agents/index.js';
import type { GraphSchemas, JsonSchema } from './ports.js';

export interface SchemaDependencies {
  graphs: readonly GraphEntry[];
  warn: (message: string) => void;
}

/** Schemas of the graph itself, or of the subgraph with that namespace. */
export type SchemaReader = (graphId: string, graph: LoadedGraph, namespace?: string) => Promise<GraphSchemas>;

type SourceSchemas = Record<string, Partial<Record<keyof GraphSchemas, JsonSchema>>>;

/** TypeScript must check all that a graph imports, LangChain included: seconds on a quiet machine, more on a busy one. */
const SOURCE_TIMEOUT_MS = 120_000;
const TYPED_SOURCE = /\.[cm]?tsx?$/;
const UNKNOWN: GraphSchemas = { state: null, input: null, output: null, config: null };

/**
 * Reads schemas as LangGraph's own server does, with its library: from the graph where its state is described by zod or a `StateSchema`;
 * otherwise from the TypeScript types in its source, once for each graph. Where neither tells, schemas are null.
 */
export function createSchemaReader({ graphs, warn }: SchemaDependencies): SchemaReader {
  const fromSources = new Map<string, Promise<SourceSchemas>>();
  let queue: Promise<unknown> = Promise.resolve();

  async function sourceSchemas(graphId: string): Promise<SourceSchemas> {
    const entry = graphs.find((graph) => graph.graphId === graphId);
    if (!entry || !TYPED_SOURCE.test(entry.file)) return {};
    let found = fromSources.get(graphId);
    if (!found) {
      // One after the other: each fills a processor, and a good part of a gigabyte.
      found = queue.then(() => readSource(entry));
      queue = found.catch(() => undefined);
      fromSources.set(graphId, found);
    }
    return found.catch((error: unknown) => {
      fromSources.delete(graphId);
      warn(`schemas of graph ${graphId} are not known: ${error instanceof Error ? error.message : String(error)}`);
      return {};
    });
  }

  return async (graphId, graph, namespace) => {
    const entry = graphs.find((one) => one.graphId === graphId);
    const own = (entry && (await zodSchemas(graph, entry))) ?? (await runtimeSchemas(graph));
    if (own) return { ...UNKNOWN, ...present(own) };
    const schemas = await sourceSchemas(graphId);
    const root = Object.keys(schemas).find((name) => !name.includes('|'));
    const found = root === undefined ? undefined : schemas[namespace === undefined ? root : `${root}|${namespace}`];
    return { ...UNKNOWN, ...present(found ?? {}) };
  };
}

/** Loaded when it is first needed: only describing graphs needs the TypeScript compiler. */
async function readSource({ file, exportName }: GraphEntry): Promise<SourceSchemas> {
  const { getStaticGraphSchema } = await import('@langchain/langgraph-api/schema');
  const source = { sourceFile: file, exportSymbol: exportName };
  return (await getStaticGraphSchema(source, { timeoutMs: SOURCE_TIMEOUT_MS })) as SourceSchemas;
}

/** What zod's schemas of a graph are annotated with is known to the copy of LangGraph that made the graph. */
async function zodSchemas(graph: LoadedGraph, { file }: GraphEntry): Promise<SourceSchemas[string] | undefined> {
  const { builder } = graph as LoadedGraph & { builder?: Record<string, { getJsonSchema?: unknown } | undefined> };
  const definitions = ['_schemaRuntimeDefinition', '_inputRuntimeDefinition', '_outputRuntimeDefinition'];
  if (!builder || definitions.some((name) => builder[name]?.getJsonSchema !== undefined)) return undefined;
  try {
    const library = (await importFromLibrary(file, 'zod/schema')) as ZodLibrary | undefined;
    const schemas = library && {
      state: library.getUpdateTypeSchema(graph),
      input: library.getInputTypeSchema(graph),
      output: library.getOutputTypeSchema(graph),
      config: library.getConfigTypeSchema(graph),
    };
    return schemas && Object.values(schemas).some(Boolean) ? (present(schemas) as SourceSchemas[string]) : undefined;
  } catch {
    return undefined; // no zod
  }
}

type ReadSchema = (graph: LoadedGraph) => JsonSchema | undefined;
type ZodLibrary = Record<
  'getUpdateTypeSchema' | 'getInputTypeSchema' | 'getOutputTypeSchema' | 'getConfigTypeSchema',
  ReadSchema
>;

async function runtimeSchemas(graph: LoadedGraph): Promise<SourceSchemas[string] | undefined> {
  const { getRuntimeGraphSchema } = await import('@langchain/langgraph-api/schema');
  return (await getRuntimeGraphSchema(graph as never)) as SourceSchemas[string] | undefined;
}

function present<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as never;
}
