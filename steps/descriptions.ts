import type { RunnableConfig } from '@langchain/core/runnables';
import type { AgentProject, FactoryConfig, FactoryRuntime, LoadedGraph } from '../agents/index.js';
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
      // Pregel's type for these options lacks `xray`, which Pregel reads.
      const options: RunnableConfig & { xray: boolean | number } = { ...runnableConfig(config), xray };
      const drawing = await graph.getGraphAsync(options);
      return toWire<GraphDrawing>(drawing.toJSON());
    },

    async schemas(caller, graphId, config) {
      return schemas.read(graphId, await open(graphId, config));
    },

    async takesMessages(caller, graphId, config) {
      return takesMessages(await open(graphId, config));
    },

    async subgraphs(caller, graphId, config, { namespace, recurse }) {
      const graph = await open(graphId, config);
      const found: Record<string, GraphSchemas> = {};
      for await (const [name, subgraph] of graph.getSubgraphsAsync(namespace, recurse)) {
        found[name] = await schemas.read(graphId, subgraph as LoadedGraph, name);
      }
      return found;
    },
  };
}

function runnableConfig({ recursion_limit: recursionLimit, ...config }: FactoryConfig) {
  return { ...config, ...(recursionLimit !== undefined && { recursionLimit }) };
}
