/** HTTP in, commands out, events back: the LangGraph Agent Server API over ports. Knows no graph, no database, no workflow code. */
export { createApi } from './app.js';
export { createApiServer } from './http-server.js';
export { DEFAULT_OPTIONS } from './context.js';
export type { ApiDependencies, ApiOptions } from './context.js';
export { createSchedules } from './schedules.js';
export type { BackfillPeriod, Schedules, TemporalSchedulesOptions } from './schedules.js';
export { createConversations } from './conversations.js';
export type { Conversations, TemporalConversationsOptions } from './conversations.js';
