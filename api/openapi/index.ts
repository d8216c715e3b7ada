/** Describes the HTTP API by the schemas that validate it: `/openapi.json`, and a page of it. Knows no record and no port. */
export { describeApi } from './document.js';
export type { OpenApiDocument } from './document.js';
export type { Answer, Method, Operation } from './operation.js';
export { OPERATIONS } from './operations.js';
export { tableOfFields } from './table.js';
export { methodsOf, openApiRoutes, wrongMethod } from './routes.js';
