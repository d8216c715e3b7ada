import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { RequestHandler, Router } from 'express';
import { describeApi } from './document.js';
import type { Operation } from './operation.js';
import { createRouter } from '../http/router.js';

/** The page's one script: made by the build, beside this file there, and in `dist/` as seen from the sources. */
const SCRIPT = ['./rapidoc-min.js', '../../dist/api/openapi/rapidoc-min.js']
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .find((path) => existsSync(path));

/** The API's description, and a page that shows it. */
export function openApiRoutes(operations: readonly Operation[], info: { version: string }): Router {
  const router = createRouter();
  const document = describeApi(operations, info);

  router.get('/openapi.json', (_req, res) => {
    res.json(document);
  });

  router.get('/docs', (_req, res) => {
    res.type('html').send(PAGE);
  });

  router.get('/docs/rapidoc-min.js', (_req, res, next) => {
    if (SCRIPT === undefined) return next();
    res.sendFile(SCRIPT, { maxAge: '1d' });
  });

  return router;
}

const PAGE = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Colloquy API</title>
    <script type="module" src="/docs/rapidoc-min.js"></script>
  </head>
  <body>
    <rapi-doc spec-url="/openapi.json" render-style="read" theme="light" primary-color="#2457a7" show-header="false"
      load-fonts="false" regular-font="system-ui, sans-serif" mono-font="ui-monospace, monospace" schema-style="table"
      default-schema-tab="schema" allow-authentication="false" allow-server-selection="false" allow-spec-file-download="false" nav-item-spacing="compact">
    </rapi-doc>
  </body>
</html>
`;

/** The methods that a path takes, in capitals; undefined for a path that is none of ours. */
export function methodsOf(operations: readonly Operation[]): (path: string) => string[] | undefined {
  const paths = [...new Set(operations.map(({ path }) => path))].sort((a, b) => namesIn(a) - namesIn(b));
  const patterns = paths.map((path) => ({
    pattern: new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}$`),
    methods: operations.filter((one) => one.path === path).map(({ method }) => method.toUpperCase()),
  }));
  return (path) => patterns.find(({ pattern }) => pattern.test(path))?.methods;
}

/**
 * Names the methods of a path where a request came with another one. In front of the routes, as `/threads/count` is a thread's path too to who
 * only looks at the others.
 */
export function wrongMethod(operations: readonly Operation[]): RequestHandler {
  const methodsAt = methodsOf(operations);
  return (req, res, next) => {
    const methods = methodsAt(req.path);
    if (methods === undefined || methods.includes(req.method === 'HEAD' ? 'GET' : req.method)) return next();
    const message = `Method Not Allowed: ${req.method} ${req.path}; it takes ${methods.join(', ')}`;
    res.status(405).setHeader('Allow', methods.join(', ')).type('text/plain').send(message);
  };
}

function namesIn(path: string): number {
  return path.split(':').length - 1;
}
