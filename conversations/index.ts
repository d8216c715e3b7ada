/**
 * The use cases of a conversation: accept a run, answer a question, cancel, inject a message, edit
 * the state, copy, prune, delete, fire crons, sweep, follow events. They use stores and workflows
 * through port interfaces, and do not depend on HTTP, Express or a Temporal worker.
 */
export { acceptRun, recordRun } from './accept-run.js';
export type { AcceptedRun } from './accept-run.js';
export type { RunOrder } from './build-run.js';
export { OPEN_ACCESS } from './access.js';
export type { Access, Viewer } from './access.js';
export { startCronSweeper } from './change-cron.js';
export { DEFAULT_CONVERSATION_OPTIONS, completeConversations } from './context.js';
export type { ConversationContext, ConversationDependencies, ConversationOptions } from './context.js';
export { FilterAccess } from './filter-access.js';
export { ANONYMOUS } from './idempotency.js';
export { startLostRunSweeper } from './sweep-lost-runs.js';
export type { BackfillPeriod, ConversationExecution, Conversations, Schedules } from './ports.js';
export { startSweeper } from './sweep.js';
export { createConversations } from './temporal-conversations.js';
export type { TemporalConversationsOptions } from './temporal-conversations.js';
export { createSchedules } from './temporal-schedules.js';
