import { z } from 'zod';
import { v7 as uuid7 } from '@langchain/core/utils/uuid';
import type { Access, Viewer } from '../../conversations/access.js';
import { deleteCronsOf } from '../../conversations/change-cron.js';
import { deleteThreadsOf } from '../../conversations/delete-thread.js';
import { assistantNotFound, findAssistant, orNotFound } from '../../conversations/find.js';
import { ColloquyError, errorCode, ifFound, withoutNulls, type Assistant } from '../../protocol/index.js';
import {
  assistantAnswer,
  assistantCount,
  assistantCreate,
  assistantDeleteQuery,
  assistantLatest,
  assistantPatch,
  assistantSearch,
  assistantVersionAnswer,
  assistantVersions,
} from '../../protocol/schemas/index.js';
import type { AssistantPatch, AssistantQuery, NewAssistant } from '../../threads/index.js';
import { CHANGES, aboutAssistant, creates, finds } from '../auth/rules.js';
import type { ApiContext } from '../context.js';
import { setPagination } from '../http/pagination.js';
import { route } from '../http/route.js';
import { select } from '../http/select.js';
import { assistantToWire, assistantVersionToWire } from './wire.js';

const DEFAULT_PAGE = 10;

export const createRoute = route({
  method: 'post',
  path: '/assistants',
  group: 'assistants',
  tag: 'Assistants',
  summary: 'Create an assistant',
  body: assistantCreate,
  answers: { 200: assistantAnswer },
  refusals: [409],
  action: 'assistant.create',
  auth: creates('assistants', 'assistants:create', 'assistant_id'),
  async handle(context, { viewer, body, res }) {
    const assistant: NewAssistant = {
      assistantId: body.assistant_id ?? uuid7(),
      graphId: body.graph_id,
      name: body.name === '' ? body.graph_id : (body.name ?? 'Untitled'),
      description: body.description ?? null,
      config: withoutNulls(body.config ?? {}),
      context: body.context ?? {},
      metadata: body.metadata ?? {},
      ifExists: body.if_exists ?? 'raise',
    };
    res.json(assistantToWire(await createAssistant(context, viewer, assistant)));
  },
});

export const searchRoute = route({
  method: 'post',
  path: '/assistants/search',
  group: 'assistants',
  tag: 'Assistants',
  summary: 'Find assistants',
  body: assistantSearch,
  answers: { 200: z.array(assistantAnswer.partial()) },
  action: 'assistant.search',
  auth: finds('assistants', 'assistants:search'),
  async handle({ assistants }, { viewer, body, res }) {
    const page = pageOf(body);
    const { assistants: found, total } = await assistants.searchAssistants(viewer.caller, {
      ...assistantFilter(body, viewer.access),
      ...page,
      ...(body.sort_by && { sortBy: body.sort_by }),
      ...(body.sort_order && { sortOrder: body.sort_order }),
    });
    setPagination(res, { ...page, total });
    res.json(found.map((assistant) => select(assistantToWire(assistant), body.select)));
  },
});

export const countRoute = route({
  method: 'post',
  path: '/assistants/count',
  group: 'assistants',
  tag: 'Assistants',
  summary: 'Count assistants',
  body: assistantCount,
  answers: { 200: z.int() },
  action: 'assistant.search',
  auth: finds('assistants', 'assistants:search'),
  async handle({ assistants }, { viewer, body, res }) {
    const query = { ...assistantFilter(body, viewer.access), limit: 1, offset: 0 };
    res.json((await assistants.searchAssistants(viewer.caller, query)).total);
  },
});

export const getRoute = route({
  method: 'get',
  path: '/assistants/:assistant_id',
  group: 'assistants',
  tag: 'Assistants',
  summary: 'An assistant, by its id or the name of its graph',
  answers: { 200: assistantAnswer },
  action: 'assistant.read',
  auth: aboutAssistant('assistants:read'),
  async handle(context, { caller, params, res }) {
    res.json(assistantToWire(await findAssistant(context, caller, params.assistant_id)));
  },
});

export const patchRoute = route({
  method: 'patch',
  path: '/assistants/:assistant_id',
  group: 'assistants',
  tag: 'Assistants',
  summary: 'Change an assistant: its next version',
  body: assistantPatch,
  answers: { 200: assistantAnswer },
  refusals: [409],
  action: 'assistant.update',
  auth: aboutAssistant('assistants:update', CHANGES),
  async handle({ assistants }, { caller, params: { assistant_id: id }, body, res }) {
    const changed = assistants.updateAssistant(caller, id, patchOf(body));
    res.json(assistantToWire(await orNotFound(changed, assistantNotFound(id))));
  },
});

export const deleteRoute = route({
  method: 'delete',
  path: '/assistants/:assistant_id',
  group: 'assistants',
  tag: 'Assistants',
  summary: 'Delete an assistant, optionally with its threads',
  query: assistantDeleteQuery,
  answers: { 200: z.array(z.guid()) },
  action: 'assistant.delete',
  auth: [
    aboutAssistant('assistants:delete'),
    finds('threads', 'threads:delete', {
      applies: ({ query }) => assistantDeleteQuery.safeParse(query).data?.delete_threads === true,
    }),
  ],
  async handle(context, { viewer, params, query, res }) {
    const { caller } = viewer;
    const { assistantId, isSystem } = await findAssistant(context, caller, params.assistant_id);
    // The crons of a system assistant stay, because its deletion only resets it to its first
    // version. The assistant is deleted last, so that an interrupted deletion can be repeated.
    if (!isSystem) await deleteCronsOf(context, caller, { assistantId });
    if (query.delete_threads) await deleteThreadsOf(context, viewer, assistantId);
    await orNotFound(context.assistants.deleteAssistant(caller, assistantId), assistantNotFound(assistantId));
    res.json([assistantId]);
  },
});

export const versionsRoute = route({
  method: 'post',
  path: '/assistants/:assistant_id/versions',
  group: 'assistants',
  tag: 'Assistants',
  summary: 'Versions of an assistant, newest first',
  body: assistantVersions,
  answers: { 200: z.array(assistantVersionAnswer) },
  action: 'assistant.read',
  auth: aboutAssistant('assistants:read', { finds: true }),
  async handle({ assistants }, { viewer, params: { assistant_id: id }, body, res }) {
    const { required } = viewer.access;
    const query = { ...pageOf(body), required, ...(body.metadata && { metadata: body.metadata }) };
    const versions = await orNotFound(assistants.listVersions(viewer.caller, id, query), assistantNotFound(id));
    res.json(versions.map(assistantVersionToWire));
  },
});

export const latestRoute = route({
  method: 'post',
  path: '/assistants/:assistant_id/latest',
  group: 'assistants',
  tag: 'Assistants',
  summary: 'Choose the version that runs use',
  body: assistantLatest,
  answers: { 200: assistantAnswer },
  refusals: [409],
  action: 'assistant.update',
  auth: aboutAssistant('assistants:update', { finds: true }),
  async handle(context, { viewer: { caller, access }, params, body: { version }, res }) {
    const { assistantId } = await findAssistant(context, caller, params.assistant_id);
    const changed = context.assistants.setLatestVersion(caller, assistantId, version, access.required);
    const missing = `Assistant version not found: assistant ${assistantId} has no version ${version}`;
    res.json(assistantToWire(await orNotFound(changed, missing)));
  },
});

/**
 * Creates an assistant. If the assistant exists already and `ifExists` is `do_nothing`, returns the
 * existing assistant, but only if the caller may see it. Errors: `already_exists`.
 */
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
      const assistant = await context.assistants.getAssistant(caller, assistantId);
      access.checkExistingAssistant(assistant);
      return assistant;
    };
    const found = ifExists === 'do_nothing' ? await ifFound(existing()) : undefined;
    if (found !== undefined) return found;
    throw new ColloquyError('already_exists', `Assistant already exists: ${assistantId}`, { cause: error });
  }
}

function pageOf(body: { limit?: number | null | undefined; offset?: number | null | undefined }) {
  return { limit: body.limit ?? DEFAULT_PAGE, offset: body.offset ?? 0 };
}

function assistantFilter(
  body: {
    graph_id?: string | null | undefined;
    name?: string | null | undefined;
    metadata?: Record<string, unknown> | null | undefined;
  },
  { required }: Access,
): Pick<AssistantQuery, 'graphId' | 'name' | 'metadata' | 'required'> {
  return {
    required,
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
  return withoutNulls({
    graphId,
    name,
    description,
    config: config && withoutNulls(config),
    context,
    metadata,
  });
}
