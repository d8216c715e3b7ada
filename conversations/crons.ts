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
import { keepUserConfig } from './user-config.js';

/**
 * Creates a cron, with or without a thread. Checks now that a firing can use the assistant and the
 * thread and can build its run. A later firing has no client that could be told of an error.
 * Errors: `not_found` (assistant, thread, checkpoint), `forbidden`, `invalid_argument`,
 * `unavailable`. After an error the cron does not exist.
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
  // Check the thread after all auth handlers of the project have answered: while a slow handler
  // runs, the thread can be deleted and created again.
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

/**
 * Changes a cron. Errors: `not_found`, `forbidden`, `invalid_argument`, `unavailable`. After
 * `unavailable` the change may still take effect.
 */
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

/**
 * Fires a cron now for every scheduled time of a period. Errors: `forbidden`; `invalid_argument` if
 * the period has too many scheduled times.
 */
export async function backfillCron(
  context: ConversationContext,
  viewer: Viewer,
  cron: Cron,
  period: BackfillPeriod,
): Promise<void> {
  await renewFilters(context, viewer, cron);
  await context.schedules.backfill(viewer.caller, cron, period);
}

/**
 * Returns a cron with the time of its next firing. If the time in its record is in the past, that
 * firing has happened or was skipped. The next time is then read from the cron's Schedule and
 * stored in the record.
 */
export async function withNextRun(context: ConversationContext, caller: Caller, cron: Cron): Promise<Cron> {
  if (cron.nextRunAt === undefined || cron.nextRunAt.getTime() > Date.now()) return cron;
  const { nextRunAt: _past, ...fields } = cron;
  const next = await context.schedules.next(caller, cron);
  await context.crons.noteNextRun(caller, cron.cronId, next);
  return { ...fields, ...(next !== undefined && { nextRunAt: next }) };
}

/**
 * Checks that the caller may now run the cron's assistant on the cron's thread. This right is
 * required to change or fire the cron. Returns the assistant and the filters for the cron's runs.
 */
async function renewFilters(
  context: ConversationContext,
  { caller, access }: Viewer,
  { assistantId, threadId }: Cron,
): Promise<{ assistant: Assistant; filters?: CronFilters | undefined }> {
  const assistant = await findAssistant(context, caller, assistantId);
  return { assistant, filters: await access.renewFilters(assistant, threadId) };
}

/**
 * If the project has auth and the body contains a new config, copies the user from the cron's old
 * config into the new config. A client must not replace this user.
 */
function withUser({ access }: Viewer, cron: Cron, body: CronPatchBody): CronPatchBody {
  if (!access.hasProjectAuth || body.config === undefined) return body;
  return { ...body, config: keepUserConfig(cron.payload['config'], body.config) };
}

/**
 * Checks that the firings of a new schedule are not too close together. A schedule that is stored
 * already is not checked again. Errors: `invalid_argument`.
 */
function checkInterval({ options }: ConversationContext, schedule: string): void {
  const minimum = options.cronMinIntervalSeconds;
  const gap = shortestGapSeconds(readCronExpression(schedule));
  if (gap >= minimum) return;
  const message = `schedule: has firings ${gap} s apart; expected ${minimum} s or more; got ${JSON.stringify(schedule)}`;
  throw new ColloquyError('invalid_argument', message, { field: 'schedule' });
}

/**
 * Checks that a firing can build its run: builds the run now and discards it. Errors:
 * `invalid_argument`; `not_found` for a checkpoint that the thread does not have.
 */
async function checkRun(
  context: ConversationContext,
  caller: Caller,
  assistant: Assistant,
  { payload, threadId }: Pick<Cron, 'payload' | 'threadId'>,
): Promise<void> {
  const body = { ...payload, assistant_id: assistant.assistantId } as RunBody;
  const ids = { threadId: threadId ?? uuid7(), runId: uuid7() };
  const now = new Date();
  const thread: Thread = {
    tenant: assistant.tenant,
    threadId: ids.threadId,
    status: 'idle',
    metadata: {},
    config: {},
    interrupts: {},
    createdAt: now,
    updatedAt: now,
    stateUpdatedAt: now,
  };
  buildRequest(body, assistant, thread, ids);
  await assertCheckpoint(context, caller, ids.threadId, runCheckpoint(body, ids.threadId));
}
