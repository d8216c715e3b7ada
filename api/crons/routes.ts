import type { Request, Response, Router } from 'express';
import { cronNotFound, deleteCron } from '../../conversations/change-cron.js';
import { backfillCron, changeCron, makeCron, withNextRun } from '../../conversations/crons.js';
import { findAssistant, orNotFound } from '../../conversations/find.js';
import type { Caller, Cron } from '../../protocol/index.js';
import {
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
  type CronPatchBody,
} from '../../protocol/schemas/index.js';
import type { CronFilter, CronQuery } from '../../threads/index.js';
import { viewerOf } from '../auth/access.js';
import { requiredOf } from '../auth/required.js';
import { callerOf, type ApiContext } from '../context.js';
import { cronToWire } from './wire.js';
import { setPagination } from '../http/pagination.js';
import { bodyOf, pathId } from '../http/params.js';
import { createRouter } from '../http/router.js';
import { parse } from '../http/validate.js';
import { select } from '../http/wire.js';

const DEFAULT_PAGE = 10;

export function cronRoutes(context: ApiContext): Router {
  const router = createRouter();

  router.post('/runs/crons', async (req, res) => {
    const body = parse(cronCreate, bodyOf(req), 'request body');
    res.json(cronToWire(await makeCron(context, viewerOf(context, res), body)));
  });

  router.post('/threads/:thread_id/runs/crons', async (req, res) => {
    const threadId = pathId(req, 'thread_id');
    const body = parse(threadCronCreate, bodyOf(req), 'request body') as CronCreate;
    res.json(cronToWire(await makeCron(context, viewerOf(context, res), body, threadId)));
  });

  router.post('/runs/crons/search', async (req, res) => {
    const caller = callerOf(res);
    const body = parse(cronSearch, bodyOf(req), 'request body');
    const query: CronQuery = {
      ...(await filterOf(context, caller, body)),
      ...requiredOf(res),
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
  });

  router.post('/runs/crons/count', async (req, res) => {
    const body = parse(cronCount, bodyOf(req), 'request body');
    const filter = { ...(await filterOf(context, callerOf(res), body)), ...requiredOf(res) };
    res.json(await context.crons.countCrons(callerOf(res), filter));
  });

  router.get('/runs/crons/:cron_id', async (req, res) => {
    const cron = await find(context, req, res);
    res.json(cronToWire(await withNextRun(context, callerOf(res), cron)));
  });

  router.patch('/runs/crons/:cron_id', async (req, res) => {
    const cron = await find(context, req, res);
    const schema = cron.threadId === undefined ? cronPatch : threadCronPatch;
    const body = parse(schema, bodyOf(req), 'request body') as CronPatchBody;
    res.json(cronToWire(await changeCron(context, viewerOf(context, res), cron, body)));
  });

  router.delete('/runs/crons/:cron_id', async (req, res) => {
    await deleteCron(context, callerOf(res), pathId(req, 'cron_id'));
    res.status(204).end();
  });

  router.post('/runs/crons/:cron_id/backfill', async (req, res) => {
    const cron = await find(context, req, res);
    const { start, end, overlap } = parse(cronBackfill, bodyOf(req), 'request body');
    await backfillCron(context, viewerOf(context, res), cron, { start, end, ...(overlap && { overlap }) });
    res.status(202).end();
  });

  return router;
}

function find(context: ApiContext, req: Request, res: Response): Promise<Cron> {
  const cronId = pathId(req, 'cron_id');
  return orNotFound(context.crons.getCron(callerOf(res), cronId), cronNotFound(cronId));
}

/** A graph's name stands for its system assistant. */
async function filterOf(context: ApiContext, caller: Caller, body: CronCountBody): Promise<CronFilter> {
  const { assistant_id: assistant, thread_id: threadId, enabled, metadata } = body;
  return {
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
