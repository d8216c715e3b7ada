/** The effects of conversations, made by {@link createActivities}; knows Temporal's activities, no workflow and no HTTP. */
import type { ConversationActivities, WebhookActivities } from '../workflows/contract.js';
import type { ActivityDependencies } from './deps.js';
import { createEndRun } from './end-run.js';
import { createRecordRun } from './record-run.js';
import { createRunStep } from './run-step.js';
import { createDeliverWebhook } from './webhook.js';

export type { ActivityDependencies } from './deps.js';

export function createActivities(dependencies: ActivityDependencies): ConversationActivities & WebhookActivities {
  return {
    runStep: createRunStep(dependencies),
    endRun: createEndRun(dependencies),
    recordRun: createRecordRun(dependencies),
    deliverWebhook: createDeliverWebhook(dependencies),
  };
}
