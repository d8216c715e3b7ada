/**
 * Describes routes from the schemas that validate their requests: `/openapi.json` and the reference
 * page. Knows no record and no port.
 */
export { describeApi } from './document.js';
export type { OpenApiDocument } from './document.js';
export { tableOfFields } from './table.js';
export { openApiPages } from './pages.js';
