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
import type { CronCreate, CronPatchBody, RunBody } from '../protocol/schemas/index.js';
import type { Viewer } from './access.js';
import { buildRequest, runCheckpoint } from './build-run.js';
import { createCron, updateCron } from './change-cron.js';
import type { ConversationContext } from './context.js';
import { cronPatchOf, newCron } from './cron-fields.js';
import { assertCheckpoint, findAssistant, findUsableAssistant, findVisibleThread } from './find.js';
import type { BackfillPeriod } from './ports.js';
import { withUserOf } from './user-config.js';

/**
 * Makes a cron, of a thread or of none. What a firing would be refused for is refused now, while its maker can read the refusal.
 * Errors: `not_found` (assistant, thread, checkpoint), `invalid_argument`, `unavailable`; then there is no cron.
 */
export async function makeCron(
  context: ConversationContext,
  viewer: Viewer,
  body: CronCreate,
  threadId?: string,
): Promise<Cron> {
  const { caller, access } = viewer;
  checkInterval(context, body.schedule);
  const assistant = await findUsableAssistant(context, caller, access, body.assistant_id);
  const filters = await access.filtersToKeep(assistant);
  // After all handlers of the project: a slow one leaves time to make the thread anew.
  if (threadId !== undefined) await findVisibleThread(context, viewer, threadId);
  const cron = newCron(body, {
    cronId: uuid7(),
    assistantId: assistant.assistantId,
    ...(threadId !== undefined && { threadId }),
    ...(filters && { filters }),
  });
  await checkRun(context, caller, assistant, cron);
  return createCron(context, caller, cron);
}

/** Errors: `not_found`, `forbidden`, `invalid_argument`; `unavailable`: the change may come later. */
export async function changeCron(
  context: ConversationContext,
  viewer: Viewer,
  cron: Cron,
  body: CronPatchBody,
): Promise<Cron> {
  if (body.schedule !== undefined) checkInterval(context, body.schedule);
  const patch = cronPatchOf(withUser(viewer, cron, body));
  const { assistant, filters = null } = await renewFilters(context, viewer, cron);
  const payload = { ...cron.payload, ...patch.payload };
  await checkRun(context, viewer.caller, assistant, { ...cron, payload });
  return updateCron(context, viewer.caller, cron, { ...patch, filters });
}

/** Fires a cron for every scheduled time of a period, now. Errors: `forbidden`, `invalid_argument` for too many times. */
export async function backfillCron(
  context: ConversationContext,
  viewer: Viewer,
  cron: Cron,
  period: BackfillPeriod,
): Promise<void> {
  await renewFilters(context, viewer, cron);
  await context.schedules.backfill(viewer.caller, cron, period);
}

/** A cron with its next time. A recorded time that is past was fired or skipped meanwhile; the Schedule knows the next one. */
export async function withNextRun(context: ConversationContext, caller: Caller, cron: Cron): Promise<Cron> {
  if (cron.nextRunAt === undefined || cron.nextRunAt.getTime() > Date.now()) return cron;
  const { nextRunAt: _past, ...fields } = cron;
  const next = await context.schedules.next(caller, cron);
  await context.crons.noteNextRun(caller, cron.cronId, next);
  return { ...fields, ...(next !== undefined && { nextRunAt: next }) };
}

/** Whoever changes a cron or fires it must be allowed to run its assistant on its thread now. */
async function renewFilters(
  context: ConversationContext,
  { caller, access }: Viewer,
  { assistantId, threadId }: Cron,
): Promise<{ assistant: Assistant; filters?: CronFilters | undefined }> {
  const assistant = await findAssistant(context, caller, assistantId);
  return { assistant, filters: await access.renewFilters(assistant, threadId) };
}

/** The project's auth recorded who made the cron; a config that a client sends does not change that. */
function withUser({ access }: Viewer, cron: Cron, body: CronPatchBody): CronPatchBody {
  if (!access.isAsked || body.config === undefined) return body;
  return { ...body, config: withUserOf(cron.payload['config'], body.config) };
}

/** Stored schedules are not checked again. Errors: `invalid_argument`. */
function checkInterval({ options }: ConversationContext, schedule: string): void {
  const least = options.cronMinIntervalSeconds;
  const gap = shortestGapSeconds(readCronExpression(schedule));
  if (gap >= least) return;
  const message = `schedule: has firings ${gap} s apart; expected ${least} s or more; got ${JSON.stringify(schedule)}`;
  throw new ColloquyError('invalid_argument', message, { field: 'schedule' });
}

/**
 * Builds the run of a firing and drops it, for its errors.
 * Errors: `invalid_argument`, `not_found` for a checkpoint that its thread does not have.
 */
async function checkRun(
  context: ConversationContext,
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
