/**
 * The LangGraph Agent Server API over HTTP. Except for `main.ts`, which creates the dependencies of
 * the API, the code in this folder reaches graphs, data and workflows only through port interfaces.
 */
export { createApi } from './app.js';
export { createApiServer } from './server.js';
export { DEFAULT_OPTIONS } from './context.js';
export type { ApiDependencies, ApiOptions } from './context.js';
