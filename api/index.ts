/**
 * The LangGraph Agent Server API over HTTP. This room works on ports. It knows no graph, no
 * database and no workflow code.
 */
export { createApi } from './app.js';
export { createApiServer } from './server.js';
export { DEFAULT_OPTIONS } from './context.js';
export type { ApiDependencies, ApiOptions } from './context.js';
