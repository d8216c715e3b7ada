import { json, type Express, type Router } from 'express';
import { authentication } from './auth/authentication.js';
import { completeContext, type ApiContext, type ApiDependencies } from './context.js';
import { customApp } from './custom-app/custom-app.js';
import { InnerServer } from './custom-app/inner-server.js';
import { cors } from './http/cors.js';
import { errorHandler, unknownRoute } from './http/errors.js';
import { createExpress, createRouter } from './http/router.js';
import { serveRoutes, wrongMethod } from './http/serve.js';
import { limitDepth } from './http/validate.js';
import { openApiPages } from './openapi/index.js';
import { ROUTES } from './routes.js';
import { truncateRoute } from './system/truncate.js';

/**
 * Creates the HTTP API on top of the given port interfaces (stores, conversations, …). The code
 * that calls this function must start the HTTP server, and must close the stores.
 */
export function createApi(deps: ApiDependencies): Express {
  const context = completeContext(deps);
  const app = createExpress();
  const publicPaths = ROUTES.filter(({ auth }) => auth === 'public').map(({ path }) => path);
  app.use(cors(context.http.cors ?? { origins: context.options.corsOrigins }));
  app.use(authentication(context, publicPaths));
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
  const { disabled } = context.http;
  const served = [...ROUTES, ...(context.options.testMode ? [truncateRoute] : [])].filter(
    ({ group }) => !disabled.includes(group),
  );
  if (!disabled.includes('meta')) router.use(openApiPages(ROUTES, context.info));
  router.use(wrongMethod(served));
  // Every body is parsed as JSON, whatever its content type is, because browsers send JSON as
  // `text/plain` to avoid a preflight.
  router.use(json({ limit: context.options.bodyLimitBytes, strict: false, type: () => true }), limitDepth);
  router.use(serveRoutes(context, served));
  router.use(unknownRoute);
  router.use(errorHandler(context.report));
  return router;
}
