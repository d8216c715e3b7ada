/**
 * Creates `/openapi.json` and the reference page. Both describe the routes from the same schemas
 * that validate requests. The code in this folder does not use the database.
 */
export { describeApi } from './document.js';
export type { OpenApiDocument } from './document.js';
export { tableOfFields } from './table.js';
export { openApiPages } from './pages.js';
