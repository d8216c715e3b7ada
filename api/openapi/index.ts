/** Describes routes by the schemas that validate their requests: `/openapi.json`, and pages for people. Knows no record and no port. */
export { describeApi } from './document.js';
export type { OpenApiDocument } from './document.js';
export { tableOfFields } from './table.js';
export { openApiPages } from './pages.js';
