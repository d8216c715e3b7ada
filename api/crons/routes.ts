import { z } from 'zod';
import type { Viewer } from '../../conversations/access.js';
import { cronNotFound, deleteCron } from '../../conversations/change-cron.js';
import { backfillCron, changeCron, makeCron, withNextRun } from '../../conversations/crons.js';
import { findAssistant, orNotFound } from '../../conversations/find.js';
import type { Caller, Cron } from '../../protocol/index.js';
import {
  cronAnswer,
  cronBackfill,
  cronCount,
  cronCreate,
  cronPatch,
  cronSearch,
  threadCronCreate,
  threadCronPatch,
  uuid,
  type CronCountBody,
  type CronCreate,
} from '../../protocol/schemas/index.js';
import type { CronFilter, CronQuery } from '../../threads/index.js';
import { CHANGES, aboutCron, creates, finds, startsRun } from '../auth/rules.js';
import type { ApiContext } from '../context.js';
import { setPagination } from '../http/pagination.js';
import { bodyOf, route } from '../http/route.js';
import { select } from '../http/select.js';
import { parse } from '../http/validate.js';
import { cronToWire } from './wire.js';

const DEFAULT_PAGE = 10;

export const createRoute = route({
  method: 'post',
  path: '/runs/crons',
  group: 'runs',
  tag: 'Crons',
  summary: 'Run an assistant on a schedule, each time on a new thread',
  body: cronCreate,
  answers: { 200: cronAnswer },
  refusals: [404],
  action: 'cron.create',
  auth: { ...creates('crons', 'crons:create'), runs: (body) => [body] },
  async handle(context, { viewer, body, res }) {
    res.json(cronToWire(await makeCron(context, viewer, body)));
  },
});

export const createOnThreadRoute = route({
  method: 'post',
  path: '/threads/:thread_id/runs/crons',
  group: 'runs',
  tag: 'Crons',
  summary: 'Run an assistant on a thread on a schedule',
  body: threadCronCreate,
  answers: { 200: cronAnswer },
  action: 'cron.create',
  auth: [startsRun(), creates('crons', 'crons:create')],
  async handle(context, { viewer, params, body, res }) {
    res.json(cronToWire(await makeCron(context, viewer, body as CronCreate, params.thread_id)));
  },
});

export const searchRoute = route({
  method: 'post',
  path: '/runs/crons/search',
  group: 'runs',
  tag: 'Crons',
  summary: 'Find crons',
  body: cronSearch,
  answers: { 200: z.array(cronAnswer.partial()) },
  refusals: [404],
  action: 'cron.search',
  auth: finds('crons', 'crons:search'),
  async handle(context, { viewer, body, res }) {
    const { caller } = viewer;
    const query: CronQuery = {
      ...(await cronFilter(context, viewer, body)),
      limit: body.limit ?? DEFAULT_PAGE,
      offset: body.offset ?? 0,
      sortBy: body.sort_by ?? 'created_at',
      sortOrder: body.sort_order ?? 'desc',
    };
    const [found, total] = await Promise.all([
      context.crons.searchCrons(caller, query),
      context.crons.countCrons(caller, query),
    ]);
    setPagination(res, { offset: query.offset, limit: query.limit, total });
    const crons = await Promise.all(found.map((cron) => withNextRun(context, caller, cron)));
    res.json(crons.map((cron) => select(cronToWire(cron), body.select)));
  },
});

export const countRoute = route({
  method: 'post',
  path: '/runs/crons/count',
  group: 'runs',
  tag: 'Crons',
  summary: 'Count crons',
  body: cronCount,
  answers: { 200: z.int() },
  refusals: [404],
  action: 'cron.search',
  auth: finds('crons', 'crons:search'),
  async handle(context, { viewer, body, res }) {
    res.json(await context.crons.countCrons(viewer.caller, await cronFilter(context, viewer, body)));
  },
});

export const getRoute = route({
  method: 'get',
  path: '/runs/crons/:cron_id',
  group: 'runs',
  tag: 'Crons',
  summary: 'A cron',
  answers: { 200: cronAnswer },
  action: 'cron.read',
  auth: aboutCron('crons:read'),
  async handle(context, { caller, params, res }) {
    const cron = await findCron(context, caller, params.cron_id);
    res.json(cronToWire(await withNextRun(context, caller, cron)));
  },
});

export const patchRoute = route({
  method: 'patch',
  path: '/runs/crons/:cron_id',
  group: 'runs',
  tag: 'Crons',
  summary: 'Change a cron: absent fields stay, null resets a field',
  body: cronPatch,
  answers: { 200: cronAnswer },
  refusals: [409],
  action: 'cron.update',
  auth: aboutCron('crons:update', CHANGES),
  async handle(context, { viewer, params, body, req, res }) {
    const cron = await findCron(context, viewer.caller, params.cron_id);
    // If the cron belongs to a thread, `on_run_completed` may only be `keep`. The schema of this
    // route also allows `delete`, so the body is checked against a second schema.
    if (cron.threadId !== undefined) parse(threadCronPatch, bodyOf(req), 'request body');
    res.json(cronToWire(await changeCron(context, viewer, cron, body)));
  },
});

export const deleteRoute = route({
  method: 'delete',
  path: '/runs/crons/:cron_id',
  group: 'runs',
  tag: 'Crons',
  summary: 'Delete a cron; its runs stay',
  answers: { 204: 'nothing' },
  action: 'cron.delete',
  auth: aboutCron('crons:delete'),
  async handle(context, { caller, params, res }) {
    await deleteCron(context, caller, params.cron_id);
    res.status(204).end();
  },
});

export const backfillRoute = route({
  method: 'post',
  path: '/runs/crons/:cron_id/backfill',
  group: 'runs',
  tag: 'Crons',
  summary: 'Fire now for every scheduled time of a past period that has no run yet',
  body: cronBackfill,
  answers: { 202: 'nothing' },
  action: 'cron.execute',
  auth: aboutCron('crons:update'),
  async handle(context, { viewer, params, body: { start, end, overlap }, res }) {
    const cron = await findCron(context, viewer.caller, params.cron_id);
    await backfillCron(context, viewer, cron, { start, end, ...(overlap && { overlap }) });
    res.status(202).end();
  },
});

function findCron(context: ApiContext, caller: Caller, cronId: string): Promise<Cron> {
  return orNotFound(context.crons.getCron(caller, cronId), cronNotFound(cronId));
}

/**
 * Converts the body of a search to a filter. If `assistant_id` is the name of a graph, it selects
 * the system assistant of that graph.
 */
async function cronFilter(context: ApiContext, { caller, access }: Viewer, body: CronCountBody): Promise<CronFilter> {
  const { assistant_id: assistant, thread_id: threadId, enabled, metadata } = body;
  return {
    required: access.required,
    ...(assistant && { assistantId: await assistantIdOf(context, caller, assistant) }),
    ...(threadId && { threadId }),
    ...(typeof enabled === 'boolean' && { enabled }),
    ...(metadata && { metadata }),
  };
}

async function assistantIdOf(context: ApiContext, caller: Caller, idOrGraph: string): Promise<string> {
  const id = uuid.safeParse(idOrGraph);
  return id.success ? id.data : (await findAssistant(context, caller, idOrGraph)).assistantId;
}
