/** HTTP in, commands out, events back: the LangGraph Agent Server API over ports. Knows no graph, no database, no workflow code. */
export { createApi } from './app.js';
export { createApiServer } from './server.js';
export { DEFAULT_OPTIONS } from './context.js';
export type { ApiDependencies, ApiOptions } from './context.js';
