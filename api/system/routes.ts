import type { Router } from 'express';
import type { ApiContext } from '../context.js';
import { createRouter } from '../http/router.js';

export function metaRoutes({ info }: ApiContext): Router {
  const router = createRouter();

  router.get('/ok', (_req, res) => {
    res.json({ ok: true });
  });

  router.get('/info', (_req, res) => {
    res.json({
      version: info.version,
      langgraph_js_version: info.langgraphVersion,
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

  return router;
}
