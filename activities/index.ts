/**
 * Activities of conversations, crons and webhooks, created by {@link createActivities}. They use
 * Temporal's activity API. They do not depend on workflow code (except its contract) or on the HTTP
 * API.
 */
import type { ConversationActivities, CronActivities, WebhookActivities } from '../workflows/contract.js';
import type { ActivityDependencies } from './deps.js';
import { createEndRun } from './end-run.js';
import { createCronActivities } from './fire-cron.js';
import { createRecordRun } from './record-run.js';
import { createRunStep } from './run-step.js';
import { createDeliverWebhook } from './webhook.js';

export type { ActivityDependencies } from './deps.js';

export function createActivities(
  dependencies: ActivityDependencies,
): ConversationActivities & CronActivities & WebhookActivities {
  return {
    runStep: createRunStep(dependencies),
    endRun: createEndRun(dependencies),
    recordRun: createRecordRun(dependencies),
    ...createCronActivities(dependencies),
    deliverWebhook: createDeliverWebhook(dependencies),
  };
}
