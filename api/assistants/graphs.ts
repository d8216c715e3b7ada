import type { Request, Router } from 'express';
import type { Assistant } from '../../protocol/index.js';
import { assistantGraphQuery, assistantSchemasBody, assistantSubgraphsQuery } from '../../protocol/schemas/index.js';
import type { GraphSchemas } from '../../steps/ports.js';
import { callerOf, type ApiContext } from '../context.js';
import { findAssistant, orNotFound } from '../../conversations/find.js';
import { bodyOf } from '../http/params.js';
import { createRouter } from '../http/router.js';
import { parse } from '../http/validate.js';

/** The graph behind an assistant: its drawing, its schemas, its subgraphs. */
export function assistantGraphRoutes(context: ApiContext): Router {
  const router = createRouter();
  const { graphs } = context;

  router.get('/assistants/:assistant_id/graph', async (req, res) => {
    const { xray } = parse(assistantGraphQuery, req.query, 'query');
    const assistant = await findAssistant(context, callerOf(res), req.params.assistant_id);
    const { graphId } = assistant;
    res.json(await served(graphId, graphs.draw(callerOf(res), graphId, assistant.config, xray)));
  });

  router.get('/assistants/:assistant_id/schemas', async (req, res) => {
    const { config } = parse(assistantSchemasBody, bodyOf(req), 'request body');
    const assistant = await findAssistant(context, callerOf(res), req.params.assistant_id);
    const { graphId } = assistant;
    const schemas = await served(graphId, graphs.schemas(callerOf(res), graphId, mergedConfig(assistant, config)));
    res.json(schemasToWire(graphId, schemas));
  });

  router.get('/assistants/:assistant_id/subgraphs', async (req, res) => {
    res.json(await subgraphs(req, req.params.assistant_id));
  });

  router.get('/assistants/:assistant_id/subgraphs/:namespace', async (req, res) => {
    res.json(await subgraphs(req, req.params.assistant_id, req.params.namespace));
  });

  async function subgraphs(req: Request, id: string, namespace?: string): Promise<Record<string, unknown>> {
    const { recurse } = parse(assistantSubgraphsQuery, req.query, 'query');
    const caller = callerOf(req.res as NonNullable<Request['res']>);
    const { graphId, config } = await findAssistant(context, caller, id);
    const options = { recurse, ...(namespace !== undefined && { namespace }) };
    const found = await served(graphId, graphs.subgraphs(caller, graphId, config, options));
    // LangGraph's JavaScript server has the short names; the types of its SDK have the long ones.
    return Object.fromEntries(
      Object.entries(found).map(([name, schemas]) => [name, { ...schemas, ...schemasToWire(graphId, schemas) }]),
    );
  }

  return router;
}

/** An assistant may outlive its graph. */
function served<T>(graphId: string, description: Promise<T>): Promise<T> {
  return orNotFound(description, `Graph "${graphId}" not found`);
}

function mergedConfig({ config }: Assistant, given: Record<string, unknown> | null | undefined) {
  const configurable = { ...(config['configurable'] as object), ...(given?.['configurable'] as object) };
  return { ...config, ...given, configurable };
}

/** LangGraph.js does not tell `context` from `configurable`: one schema describes both. */
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
