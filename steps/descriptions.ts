import type { RunnableConfig } from '@langchain/core/runnables';
import {
  isCompiledGraph,
  type AgentProject,
  type FactoryConfig,
  type FactoryRuntime,
  type LoadedGraph,
} from '../agents/index.js';
import { takesMessages } from './injection.js';
import type { GraphDescriptions, GraphDrawing, GraphSchemas } from './ports.js';
import { createSchemaReader } from './schemas.js';
import { toWire } from './wire.js';

export interface DescriptionDependencies {
  project: Pick<AgentProject, 'load' | 'graphs'>;
  /** Called with the reason if the schemas of a graph cannot be read. */
  warn?: (message: string) => void;
  /**
   * Whether to start reading the source files of the graphs now, not at the first request for
   * schemas. Reading takes seconds of CPU time.
   */
  prepare?: boolean;
}

/** Number of levels that are drawn if a deeper level cannot be drawn. */
const MOST_LEVELS = 10;
const READING: FactoryRuntime = { accessContext: 'assistants.read', executionRuntime: null };

/**
 * Creates the object that describes the graphs of a project: their drawings, schemas and subgraphs.
 * It calls the factories of graphs, but runs no graph.
 */
export function createGraphDescriptions(dependencies: DescriptionDependencies): GraphDescriptions {
  const { project, warn = () => undefined } = dependencies;
  const schemas = createSchemaReader({ graphs: project.graphs, warn });
  if (dependencies.prepare) schemas.prepare();

  async function open(graphId: string, config: FactoryConfig): Promise<LoadedGraph> {
    return project.load(graphId, config, READING);
  }

  return {
    async draw(caller, graphId, config, xray) {
      const graph = await open(graphId, config);
      return toWire<GraphDrawing>(await drawing(graph, runnableConfig(config), xray));
    },

    async schemas(caller, graphId, config) {
      return toWire<GraphSchemas>(await schemas.read(graphId, await open(graphId, config)));
    },

    async takesMessages(caller, graphId, config) {
      return takesMessages(await open(graphId, config));
    },

    async subgraphs(caller, graphId, config, { namespace, recurse }) {
      const graph = await open(graphId, config);
      const found: Record<string, GraphSchemas> = {};
      for await (const [name, subgraph] of subgraphsIn(graph, recurse)) {
        if (namespace !== undefined && name !== namespace) continue;
        found[name] = await schemas.read(graphId, subgraph as LoadedGraph, name);
      }
      return toWire<Record<string, GraphSchemas>>(found);
    },
  };
}

/**
 * Returns the drawing of a graph. `xray` is the number of levels of subgraphs to draw; true draws
 * all. LangGraph cannot draw the inside of some nodes, such as a `RemoteGraph`, and then throws. In
 * this case, returns the drawing with as many levels as LangGraph can draw.
 */
async function drawing(graph: LoadedGraph, config: RunnableConfig, xray: boolean | number): Promise<object> {
  try {
    // Pregel's type for these options lacks `xray`, which Pregel reads.
    const options: RunnableConfig & { xray: boolean | number } = { ...config, xray };
    return (await graph.getGraphAsync(options)).toJSON();
  } catch (error) {
    const levels = typeof xray === 'number' ? xray : Number(xray) * MOST_LEVELS;
    if (levels <= 0) throw error;
    return drawing(graph, config, levels - 1);
  }
}

/**
 * Yields the subgraphs of a graph, each with its namespace without task ids. With `recurse`, also
 * yields their subgraphs, except those of a `RemoteGraph`: only its server knows them, and
 * LangGraph's own recursion throws at it.
 */
async function* subgraphsIn(
  graph: LoadedGraph,
  recurse: boolean | undefined,
  prefix = '',
): AsyncGenerator<[string, unknown]> {
  for await (const [name, subgraph] of graph.getSubgraphsAsync()) {
    yield [`${prefix}${name}`, subgraph];
    const inner: unknown = subgraph;
    if (recurse && isCompiledGraph(inner)) yield* subgraphsIn(inner, recurse, `${prefix}${name}|`);
  }
}

function runnableConfig({ recursion_limit: recursionLimit, ...config }: FactoryConfig) {
  return { ...config, ...(recursionLimit !== undefined && { recursionLimit }) };
}
