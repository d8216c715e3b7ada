import type { Router } from 'express';
import { v7 as uuid7 } from '@langchain/core/utils/uuid';
import { ColloquyError, errorCode, type Assistant, ifFound } from '../../protocol/index.js';
import {
  assistantCount,
  assistantCreate,
  assistantDeleteQuery,
  assistantLatest,
  assistantPatch,
  assistantSearch,
  assistantVersions,
} from '../../protocol/schemas/index.js';
import type { AssistantPatch, AssistantQuery, NewAssistant } from '../../threads/index.js';
import { viewerOf } from '../auth/access.js';
import { type Viewer } from '../../conversations/access.js';
import { requiredOf } from '../auth/required.js';
import { callerOf, type ApiContext } from '../context.js';
import { deleteCronsOf } from '../../conversations/change-cron.js';
import { assistantNotFound, findAssistant, orNotFound } from '../../conversations/find.js';
import { setPagination } from '../http/pagination.js';
import { bodyOf } from '../http/params.js';
import { createRouter } from '../http/router.js';
import { deleteThreadsOf } from '../../conversations/delete-thread.js';
import { parse } from '../http/validate.js';
import { assistantToWire, assistantVersionToWire, select } from '../http/wire.js';

const DEFAULT_PAGE = 10;

export function assistantRoutes(context: ApiContext): Router {
  const router = createRouter();
  const { assistants } = context;

  router.post('/assistants', async (req, res) => {
    const body = parse(assistantCreate, bodyOf(req), 'request body');
    const assistantId = body.assistant_id ?? uuid7();
    const assistant: NewAssistant = {
      assistantId,
      graphId: body.graph_id,
      name: body.name === '' ? body.graph_id : (body.name ?? 'Untitled'),
      description: body.description ?? null,
      config: given(body.config ?? {}),
      context: body.context ?? {},
      metadata: body.metadata ?? {},
      ifExists: body.if_exists ?? 'raise',
    };
    res.json(assistantToWire(await createAssistant(context, viewerOf(context, res), assistant)));
  });

  router.post('/assistants/search', async (req, res) => {
    const body = parse(assistantSearch, bodyOf(req), 'request body');
    const page = pageOf(body);
    const { assistants: found, total } = await assistants.searchAssistants(callerOf(res), {
      ...filterOf(body),
      ...requiredOf(res),
      ...page,
      ...(body.sort_by && { sortBy: body.sort_by }),
      ...(body.sort_order && { sortOrder: body.sort_order }),
    });
    setPagination(res, { ...page, total });
    res.json(found.map((assistant) => select(assistantToWire(assistant), body.select)));
  });

  router.post('/assistants/count', async (req, res) => {
    const body = parse(assistantCount, bodyOf(req), 'request body');
    const query = { ...filterOf(body), ...requiredOf(res), limit: 1, offset: 0 };
    res.json((await assistants.searchAssistants(callerOf(res), query)).total);
  });

  router.get('/assistants/:assistant_id', async (req, res) => {
    res.json(assistantToWire(await findAssistant(context, callerOf(res), req.params.assistant_id)));
  });

  router.patch('/assistants/:assistant_id', async (req, res) => {
    const id = req.params.assistant_id;
    const patch = patchOf(parse(assistantPatch, bodyOf(req), 'request body'));
    const changed = assistants.updateAssistant(callerOf(res), id, patch);
    res.json(assistantToWire(await orNotFound(changed, assistantNotFound(id))));
  });

  router.delete('/assistants/:assistant_id', async (req, res) => {
    const { delete_threads: withThreads } = parse(assistantDeleteQuery, req.query, 'query');
    const { assistantId, isSystem } = await findAssistant(context, callerOf(res), req.params.assistant_id);
    // A system assistant is only reset to its first version, so its crons stay. Crons of another one could fire nothing any more.
    // The assistant is deleted last, so that a deletion that was cut off can be repeated.
    if (!isSystem) await deleteCronsOf(context, callerOf(res), { assistantId });
    if (withThreads) await deleteThreadsOf(context, callerOf(res), assistantId, requiredOf(res));
    await orNotFound(assistants.deleteAssistant(callerOf(res), assistantId), assistantNotFound(assistantId));
    res.json([assistantId]);
  });

  router.post('/assistants/:assistant_id/versions', async (req, res) => {
    const id = req.params.assistant_id;
    const body = parse(assistantVersions, bodyOf(req), 'request body');
    const query = { ...pageOf(body), ...(body.metadata && { metadata: body.metadata }), ...requiredOf(res) };
    const versions = await orNotFound(assistants.listVersions(callerOf(res), id, query), assistantNotFound(id));
    res.json(versions.map(assistantVersionToWire));
  });

  router.post('/assistants/:assistant_id/latest', async (req, res) => {
    const { version } = parse(assistantLatest, bodyOf(req), 'request body');
    const { assistantId } = await findAssistant(context, callerOf(res), req.params.assistant_id);
    const changed = assistants.setLatestVersion(callerOf(res), assistantId, version, requiredOf(res).required);
    const missing = `Assistant version not found: assistant ${assistantId} has no version ${version}`;
    res.json(assistantToWire(await orNotFound(changed, missing)));
  });

  return router;
}

/** With `do_nothing` an existing assistant is returned only if the caller may see it. */
async function createAssistant(
  context: ApiContext,
  { caller, access }: Viewer,
  { ifExists, ...assistant }: NewAssistant,
): Promise<Assistant> {
  const { assistantId } = assistant;
  try {
    return await context.assistants.createAssistant(caller, { ...assistant, ifExists: 'raise' });
  } catch (error) {
    if (errorCode(error) !== 'already_exists') throw error;
    const existing = async () => {
      const one = await context.assistants.getAssistant(caller, assistantId);
      access.checkExistingAssistant(one);
      return one;
    };
    const found = ifExists === 'do_nothing' ? await ifFound(existing()) : undefined;
    if (found !== undefined) return found;
    throw new ColloquyError('already_exists', `Assistant already exists: ${assistantId}`, { cause: error });
  }
}

function pageOf(body: { limit?: number | null | undefined; offset?: number | null | undefined }) {
  return { limit: body.limit ?? DEFAULT_PAGE, offset: body.offset ?? 0 };
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

function patchOf(body: {
  graph_id?: string | null | undefined;
  name?: string | null | undefined;
  description?: string | null | undefined;
  config?: Record<string, unknown> | null | undefined;
  context?: unknown;
  metadata?: Record<string, unknown> | null | undefined;
}): AssistantPatch {
  const { graph_id: graphId, name, description, config, context, metadata } = body;
  return given({ graphId, name, description, config: config && given(config), context, metadata });
}

/** Null is absent. */
function given<T extends object>(fields: T): { [K in keyof T]?: NonNullable<T[K]> } {
  const entries = Object.entries(fields).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(entries) as { [K in keyof T]?: NonNullable<T[K]> };
}
