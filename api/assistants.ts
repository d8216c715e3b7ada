import { Router } from 'express';
import { assistantCount, assistantSearch } from '../protocol/schemas/index.js';
import type { AssistantQuery } from '../threads/index.js';
import { callerOf, type ApiContext } from './context.js';
import { findAssistant } from './find.js';
import { setPagination } from './pagination.js';
import { bodyOf } from './params.js';
import { parse } from './validate.js';
import { assistantToWire, select } from './wire.js';

const DEFAULT_PAGE = 10;

export function assistantRoutes(context: ApiContext): Router {
  const router = Router();

  router.post('/assistants/search', async (req, res) => {
    const body = parse(assistantSearch, bodyOf(req), 'request body');
    const limit = body.limit ?? DEFAULT_PAGE;
    const offset = body.offset ?? 0;
    const { assistants, total } = await context.assistants.searchAssistants(callerOf(res), {
      ...filterOf(body),
      limit,
      offset,
      ...(body.sort_by && { sortBy: body.sort_by }),
      ...(body.sort_order && { sortOrder: body.sort_order }),
    });
    setPagination(res, { offset, limit, total });
    res.json(assistants.map((assistant) => select(assistantToWire(assistant), body.select)));
  });

  router.post('/assistants/count', async (req, res) => {
    const body = parse(assistantCount, bodyOf(req), 'request body');
    const { total } = await context.assistants.searchAssistants(callerOf(res), {
      ...filterOf(body),
      limit: 1,
      offset: 0,
    });
    res.json(total);
  });

  router.get('/assistants/:assistant_id', async (req, res) => {
    res.json(assistantToWire(await findAssistant(context, callerOf(res), req.params.assistant_id)));
  });

  return router;
}

function filterOf(body: {
  graph_id?: string | null | undefined;
  name?: string | null | undefined;
  metadata?: Record<string, unknown> | null | undefined;
}): Pick<AssistantQuery, 'graphId' | 'name' | 'metadata'> {
  return {
    ...(body.graph_id && { graphId: body.graph_id }),
    ...(body.name && { name: body.name }),
    ...(body.metadata && { metadata: body.metadata }),
  };
}
