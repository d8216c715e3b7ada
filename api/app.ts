import { json, type Express, type Router } from 'express';
import { assistantGraphRoutes } from './assistants/graphs.js';
import { assistantRoutes } from './assistants/routes.js';
import { authGate } from './auth/gate.js';
import { authentication, completeContext, type ApiContext, type ApiDependencies, type RouteGroup } from './context.js';
import { cors } from './http/cors.js';
import { cronRoutes } from './crons/routes.js';
import { customApp } from './custom-app/custom-app.js';
import { errorHandler, unknownRoute } from './http/errors.js';
import { truncateRoutes } from './system/truncate.js';
import { InnerServer } from './custom-app/inner-server.js';
import { metaRoutes } from './system/routes.js';
import { OPERATIONS, openApiRoutes, wrongMethod } from './openapi/index.js';
import { limitDepth } from './http/params.js';
import { createExpress, createRouter } from './http/router.js';
import { spellBatch } from './runs/batch.js';
import { runRoutes } from './runs/routes.js';
import { storeRoutes } from './store/routes.js';
import { threadStateRoutes } from './threads/state.js';
import { threadSearchRoutes } from './threads/search.js';
import { threadStreamRoutes } from './threads/stream.js';
import { threadRoutes } from './threads/routes.js';
import { protocolRoutes } from './protocol-v2/routes.js';

/** The HTTP API over its ports; the caller listens, and closes what it gave. */
export function createApi(deps: ApiDependencies): Express {
  const context = completeContext(deps);
  const app = createExpress();
  app.use(cors(context.http.cors ?? { origins: context.options.corsOrigins }));
  app.use(authentication(context));
  if (context.http.app === undefined) {
    app.use(ownRoutes(context));
  } else {
    const routes = createExpress();
    const inner = new InnerServer(routes);
    routes.use(ownRoutes(context));
    app.use(customApp(context.http.app, inner, context.options.bodyLimitBytes));
    app.use(routes);
  }
  app.use(errorHandler(context.report));
  return app;
}

function ownRoutes(context: ApiContext): Router {
  const router = createRouter();
  const serve = (group: RouteGroup, ...routes: Router[]) => {
    if (!context.http.disabled.includes(group)) routes.forEach((one) => router.use(one));
  };
  serve('meta', metaRoutes(context), openApiRoutes(OPERATIONS, context.info));
  router.use(wrongMethod(OPERATIONS));
  // Browsers send JSON as text/plain to spare a preflight, so the type is not looked at.
  router.use(json({ limit: context.options.bodyLimitBytes, strict: false, type: () => true }), limitDepth);
  // Before the gate of a project's auth: this is about no record that a project knows.
  if (context.options.testMode) router.use(truncateRoutes(context));
  router.use(spellBatch);
  if (context.auth !== undefined) router.use(authGate(context, context.auth));
  serve('assistants', assistantRoutes(context), assistantGraphRoutes(context));
  serve(
    'threads',
    threadSearchRoutes(context),
    threadRoutes(context),
    threadStreamRoutes(context),
    threadStateRoutes(context),
  );
  serve('runs', cronRoutes(context), runRoutes(context), protocolRoutes(context));
  serve('store', storeRoutes(context));
  router.use(unknownRoute);
  router.use(errorHandler(context.report));
  return router;
}
