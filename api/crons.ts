import type { Request, Response, Router } from 'express';
import { v7 as uuid7 } from '@langchain/core/utils/uuid';
import {
  ColloquyError,
  readCronExpression,
  shortestGapSeconds,
  type Assistant,
  type Caller,
  type Cron,
  type CronFilters,
  type Thread,
} from '../protocol/index.js';
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
  type RunBody,
} from '../protocol/schemas/index.js';
import type { CronFilter, CronQuery } from '../threads/index.js';
import { accessOf } from './auth/access.js';
import {
  findVisibleThread,
  assertCheckpoint,
  findAssistant,
  findUsableAssistant,
  orNotFound,
} from '../conversations/find.js';
import { requiredOf } from './auth/required.js';
import { withUserOf } from './auth/run-user.js';
import { callerOf, type ApiContext } from './context.js';
import { createCron, cronNotFound, deleteCron, updateCron } from '../conversations/change-cron.js';
import { cronPatchOf, cronToWire, newCron } from './cron-wire.js';
import { setPagination } from './pagination.js';
import { bodyOf, pathId } from './params.js';
import { createRouter } from './router.js';
import { buildRequest, runCheckpoint } from '../conversations/build-run.js';
import { parse } from './validate.js';
import { select } from './wire.js';

const DEFAULT_PAGE = 10;

export function cronRoutes(context: ApiContext): Router {
  const router = createRouter();

  router.post('/runs/crons', async (req, res) => {
    const body = parse(cronCreate, bodyOf(req), 'request body');
    res.json(cronToWire(await create(context, res, body)));
  });

  router.post('/threads/:thread_id/runs/crons', async (req, res) => {
    const threadId = pathId(req, 'thread_id');
    const body = parse(threadCronCreate, bodyOf(req), 'request body') as CronCreate;
    res.json(cronToWire(await create(context, res, body, threadId)));
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
    const crons = await Promise.all(found.map((cron) => upToDate(context, caller, cron)));
    res.json(crons.map((cron) => select(cronToWire(cron), body.select)));
  });

  router.post('/runs/crons/count', async (req, res) => {
    const body = parse(cronCount, bodyOf(req), 'request body');
    const filter = { ...(await filterOf(context, callerOf(res), body)), ...requiredOf(res) };
    res.json(await context.crons.countCrons(callerOf(res), filter));
  });

  router.get('/runs/crons/:cron_id', async (req, res) => {
    const cron = await find(context, req, res);
    res.json(cronToWire(await upToDate(context, callerOf(res), cron)));
  });

  router.patch('/runs/crons/:cron_id', async (req, res) => {
    const caller = callerOf(res);
    const cron = await find(context, req, res);
    const schema = cron.threadId === undefined ? cronPatch : threadCronPatch;
    const body = parse(schema, bodyOf(req), 'request body') as CronPatchBody;
    if (body.schedule !== undefined) checkInterval(context, body.schedule);
    const patch = cronPatchOf(withUser(context, cron, body));
    const { assistant, filters = null } = await recheck(context, res, cron);
    await checkRun(context, caller, assistant, { ...cron, payload: { ...cron.payload, ...patch.payload } });
    res.json(cronToWire(await updateCron(context, caller, cron, { ...patch, filters })));
  });

  router.delete('/runs/crons/:cron_id', async (req, res) => {
    await deleteCron(context, callerOf(res), pathId(req, 'cron_id'));
    res.status(204).end();
  });

  router.post('/runs/crons/:cron_id/backfill', async (req, res) => {
    const cron = await find(context, req, res);
    const { start, end, overlap } = parse(cronBackfill, bodyOf(req), 'request body');
    await recheck(context, res, cron);
    await context.schedules.backfill(cron, { start, end, ...(overlap && { overlap }) });
    res.status(202).end();
  });

  return router;
}

function find(context: ApiContext, req: Request, res: Response): Promise<Cron> {
  const cronId = pathId(req, 'cron_id');
  return orNotFound(context.crons.getCron(callerOf(res), cronId), cronNotFound(cronId));
}

/** Whoever changes a cron, or has it fire, may run its assistant on its thread now, whatever was so when it was made. */
async function recheck(
  context: ApiContext,
  res: Response,
  { assistantId, threadId }: Cron,
): Promise<{ assistant: Assistant; filters?: CronFilters | undefined }> {
  const assistant = await findAssistant(context, callerOf(res), assistantId);
  return { assistant, filters: await accessOf(context, res).renewFilters(assistant, threadId) };
}

async function create(context: ApiContext, res: Response, body: CronCreate, threadId?: string): Promise<Cron> {
  const caller = callerOf(res);
  const access = accessOf(context, res);
  checkInterval(context, body.schedule);
  const assistant = await findUsableAssistant(context, caller, access, body.assistant_id);
  const filters = await access.filtersToKeep(assistant);
  // After every handler was asked: a slow one leaves time to make the thread anew.
  if (threadId !== undefined) await findVisibleThread(context, { caller, access }, threadId);
  const cron = newCron(body, {
    cronId: uuid7(),
    assistantId: assistant.assistantId,
    ...(threadId !== undefined && { threadId }),
    ...(filters && { filters }),
  });
  await checkRun(context, caller, assistant, cron);
  return createCron(context, caller, cron);
}

/** A project's auth said who made the cron; a config that a client sends takes that from no run. */
function withUser(context: ApiContext, cron: Cron, body: CronPatchBody): CronPatchBody {
  if (context.auth === undefined || body.config === undefined) return body;
  return { ...body, config: withUserOf(cron.payload['config'], body.config) };
}

/** Schedules that are stored already go on as they are. Errors: `invalid_argument`. */
function checkInterval({ options }: ApiContext, schedule: string): void {
  const least = options.cronMinIntervalSeconds;
  const gap = shortestGapSeconds(readCronExpression(schedule));
  if (gap >= least) return;
  const message = `schedule: has firings ${gap} s apart; expected ${least} s or more; got ${JSON.stringify(schedule)}`;
  throw new ColloquyError('invalid_argument', message, { field: 'schedule' });
}

/**
 * What a firing would be refused for is refused now: who could read the refusal is still here.
 * Errors: `invalid_argument`, `not_found` for a checkpoint that its thread does not have.
 */
async function checkRun(
  context: ApiContext,
  caller: Caller,
  assistant: Assistant,
  { payload, threadId }: Pick<Cron, 'payload' | 'threadId'>,
): Promise<void> {
  const body = { ...payload, assistant_id: assistant.assistantId } as RunBody;
  const place = { threadId: threadId ?? uuid7(), runId: uuid7() };
  const now = new Date();
  const thread: Thread = {
    tenant: assistant.tenant,
    threadId: place.threadId,
    status: 'idle',
    metadata: {},
    config: {},
    interrupts: {},
    createdAt: now,
    updatedAt: now,
    stateUpdatedAt: now,
  };
  buildRequest(body, assistant, thread, place);
  await assertCheckpoint(context, caller, place.threadId, runCheckpoint(body, place.threadId));
}

/** A next run that is past has been fired, or skipped without our hearing of it: the Schedule knows. */
async function upToDate(context: ApiContext, caller: Caller, cron: Cron): Promise<Cron> {
  if (cron.nextRunAt === undefined || cron.nextRunAt.getTime() > Date.now()) return cron;
  const { nextRunAt: _past, ...fields } = cron;
  const next = await context.schedules.next(cron);
  await context.crons.noteNextRun(caller, cron.cronId, next);
  return { ...fields, ...(next !== undefined && { nextRunAt: next }) };
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
