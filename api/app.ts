import express, { type Express } from 'express';
import { assistantGraphRoutes } from './assistant-graphs.js';
import { assistantRoutes } from './assistants.js';
import { authentication, completeContext, type ApiDependencies } from './context.js';
import { cors } from './cors.js';
import { cronRoutes } from './crons.js';
import { errorHandler, unknownRoute } from './errors.js';
import { OPERATIONS, openApiRoutes, wrongMethod } from './openapi/index.js';
import { runRoutes } from './runs.js';
import { threadStateRoutes } from './thread-state.js';
import { threadSearchRoutes } from './thread-search.js';
import { threadStreamRoutes } from './thread-stream.js';
import { threadRoutes } from './threads.js';

/** The HTTP API over its ports; the caller listens, and closes what it gave. */
export function createApi(deps: ApiDependencies): Express {
  const context = completeContext(deps);
  const app = express();
  app.disable('x-powered-by');
  app.disable('etag');
  app.use(cors(context.options.corsOrigins));

  app.get('/ok', (_req, res) => {
    res.json({ ok: true });
  });
  app.get('/info', (_req, res) => {
    res.json({
      version: context.info.version,
      langgraph_js_version: context.info.langgraphVersion,
      context: 'js',
      flags: {
        assistants: true,
        crons: true,
        langsmith: false,
        langsmith_tracing_replicas: false,
        stream_namespaces: true,
      },
    });
  });

  app.use(openApiRoutes(OPERATIONS, context.info));
  app.use(wrongMethod(OPERATIONS));

  // Browsers send JSON as text/plain to spare a preflight, so the type is not looked at.
  app.use(express.json({ limit: context.options.bodyLimitBytes, strict: false, type: () => true }));
  app.use(authentication(context));
  app.use(assistantRoutes(context));
  app.use(assistantGraphRoutes(context));
  app.use(threadSearchRoutes(context));
  app.use(threadRoutes(context));
  app.use(threadStreamRoutes(context));
  app.use(threadStateRoutes(context));
  app.use(cronRoutes(context));
  app.use(runRoutes(context));
  app.use(unknownRoute);
  app.use(errorHandler(context.report));
  return app;
}
