import { findAssistant, orNotFound } from '../../conversations/find.js';
import type { Assistant, Caller } from '../../protocol/index.js';
import {
  assistantGraphQuery,
  assistantSchemasBody,
  assistantSubgraphsQuery,
  graphAnswer,
  graphSchemasAnswer,
  subgraphsAnswer,
} from '../../protocol/schemas/index.js';
import type { GraphSchemas } from '../../steps/ports.js';
import { aboutAssistant } from '../auth/rules.js';
import type { ApiContext } from '../context.js';
import { bodyOf, route } from '../http/route.js';
import { parse } from '../http/validate.js';

export const graphRoute = route({
  method: 'get',
  path: '/assistants/:assistant_id/graph',
  group: 'assistants',
  tag: 'Assistants',
  summary: 'The drawing of a graph',
  query: assistantGraphQuery,
  answers: { 200: graphAnswer },
  action: 'graph.read',
  auth: aboutAssistant('assistants:read'),
  async handle(context, { caller, params, query, res }) {
    const { graphId, config } = await findAssistant(context, caller, params.assistant_id);
    res.json(await orGraphNotFound(graphId, context.graphs.draw(caller, graphId, config, query.xray)));
  },
});

export const schemasRoute = route({
  method: 'get',
  path: '/assistants/:assistant_id/schemas',
  group: 'assistants',
  tag: 'Assistants',
  summary: 'JSON schemas of a graph',
  answers: { 200: graphSchemasAnswer },
  action: 'graph.read',
  auth: aboutAssistant('assistants:read'),
  async handle(context, { caller, params, req, res }) {
    const { config } = parse(assistantSchemasBody, bodyOf(req), 'request body');
    const assistant = await findAssistant(context, caller, params.assistant_id);
    const { graphId } = assistant;
    const schemas = context.graphs.schemas(caller, graphId, schemaConfig(assistant, config));
    res.json(schemasToWire(graphId, await orGraphNotFound(graphId, schemas)));
  },
});

export const subgraphsRoute = route({
  method: 'get',
  path: '/assistants/:assistant_id/subgraphs',
  group: 'assistants',
  tag: 'Assistants',
  summary: 'Schemas of subgraphs',
  query: assistantSubgraphsQuery,
  answers: { 200: subgraphsAnswer },
  action: 'graph.read',
  auth: aboutAssistant('assistants:read'),
  async handle(context, { caller, params, query, res }) {
    res.json(await subgraphs(context, caller, params.assistant_id, query));
  },
});

export const subgraphRoute = route({
  method: 'get',
  path: '/assistants/:assistant_id/subgraphs/:namespace',
  group: 'assistants',
  tag: 'Assistants',
  summary: 'Schemas of one subgraph',
  query: assistantSubgraphsQuery,
  answers: { 200: subgraphsAnswer },
  action: 'graph.read',
  auth: aboutAssistant('assistants:read'),
  async handle(context, { caller, params, query, res }) {
    res.json(await subgraphs(context, caller, params.assistant_id, { ...query, namespace: params.namespace }));
  },
});

async function subgraphs(
  context: ApiContext,
  caller: Caller,
  assistantId: string,
  options: { recurse: boolean; namespace?: string },
): Promise<Record<string, unknown>> {
  const { graphId, config } = await findAssistant(context, caller, assistantId);
  const found = await orGraphNotFound(graphId, context.graphs.subgraphs(caller, graphId, config, options));
  // The answer has each schema under two names: LangGraph's JavaScript server uses the short names,
  // and the types of its SDK have the long ones.
  return Object.fromEntries(
    Object.entries(found).map(([name, schemas]) => [name, { ...schemas, ...schemasToWire(graphId, schemas) }]),
  );
}

/**
 * Waits for the description of an assistant's graph. Errors: `not_found` if the project does not
 * have the graph any more. An assistant stays when its graph is removed from the project.
 */
function orGraphNotFound<T>(graphId: string, description: Promise<T>): Promise<T> {
  return orNotFound(description, `Graph "${graphId}" not found`);
}

function schemaConfig(assistant: Assistant, config: Record<string, unknown> | null | undefined) {
  const own = assistant.config['configurable'] as object;
  const configurable = { ...own, ...(config?.['configurable'] as object) };
  return { ...assistant.config, ...config, configurable };
}

/**
 * Converts the schemas of a graph to the form that clients read. LangGraph.js has only one schema
 * for `context` and `configurable`, so both fields get this schema.
 */
function schemasToWire(graphId: string, { state, input, output, config }: GraphSchemas): Record<string, unknown> {
  return {
    graph_id: graphId,
    input_schema: input,
    output_schema: output,
    state_schema: state,
    config_schema: config,
    context_schema: config,
  };
}
