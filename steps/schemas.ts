import { importFromLibrary, type GraphEntry, type LoadedGraph } from '../agents/index.js';
import type { GraphSchemas, JsonSchema } from './ports.js';
import { createSourceReader, type SourceSchemas } from './source-schemas.js';

export interface SchemaDependencies {
  graphs: readonly GraphEntry[];
  warn: (message: string) => void;
}

export interface SchemaReader {
  /**
   * Returns the schemas of `graph`. `namespace` is set if `graph` is a subgraph of the graph with
   * the id `graphId`.
   */
  read(graphId: string, graph: LoadedGraph, namespace?: string): Promise<GraphSchemas>;
  /**
   * Starts to read the source files of all graphs, so that later requests for schemas wait less.
   */
  prepare(): void;
}

const UNKNOWN: GraphSchemas = { state: null, input: null, output: null, config: null };

/**
 * Creates a reader of graph schemas that uses the library of LangGraph's own server. If zod or a
 * `StateSchema` describes the graph's state, the schemas are read from the graph itself. Otherwise
 * they are derived from the TypeScript types in the graph's source file, which is read only once. A
 * schema is null if it cannot be read in either way.
 */
export function createSchemaReader({ graphs, warn }: SchemaDependencies): SchemaReader {
  const sources = createSourceReader(graphs);

  async function sourceSchemas(graphId: string): Promise<SourceSchemas> {
    try {
      return await sources.read(graphId);
    } catch (error) {
      warn(`schemas of graph ${graphId} are not known: ${error instanceof Error ? error.message : String(error)}`);
      return {};
    }
  }

  async function read(graphId: string, graph: LoadedGraph, namespace?: string): Promise<GraphSchemas> {
    const entry = graphs.find((one) => one.graphId === graphId);
    const own = (entry && (await zodSchemas(graph, entry))) ?? (await runtimeSchemas(graph));
    if (own) return { ...UNKNOWN, ...present(own) };
    const schemas = await sourceSchemas(graphId);
    const root = Object.keys(schemas).find((name) => !name.includes('|'));
    const found = root === undefined ? undefined : schemas[namespace === undefined ? root : `${root}|${namespace}`];
    return { ...UNKNOWN, ...present(found ?? {}) };
  }

  return { read, prepare: sources.prepare };
}

/**
 * Returns the schemas of a graph whose state is described with zod. Returns undefined for any other
 * graph. Uses the copy of LangGraph that the graph itself imports. LangGraph keeps its metadata of
 * zod schemas in a registry, and each copy of LangGraph has a registry of its own.
 */
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
    return undefined; // zod does not describe the state
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
