import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Router, type RequestHandler } from 'express';
import { describeApi } from './document.js';
import type { Operation } from './operation.js';

/** The page's one script: made by the build, beside this file there, and in `dist/` as seen from the sources. */
const SCRIPT = ['./rapidoc-min.js', '../../dist/api/openapi/rapidoc-min.js']
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .find((path) => existsSync(path));

/** The API's description, and a page that shows it. */
export function openApiRoutes(operations: readonly Operation[], info: { version: string }): Router {
  const router = Router();
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
      default-schema-tab="schema" allow-authentication="false" allow-spec-file-download="true" nav-item-spacing="compact">
    </rapi-doc>
  </body>
</html>
`;

/** Names the methods that a known path has, where a request came with another one. */
export function wrongMethod(operations: readonly Operation[]): RequestHandler {
  const paths = [...new Set(operations.map(({ path }) => path))].map((path) => ({
    pattern: new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}/?$`),
    allowed: operations.filter((one) => one.path === path).map(({ method }) => method.toUpperCase()),
  }));
  return (req, res, next) => {
    const known = paths.find(({ pattern }) => pattern.test(req.path));
    if (known === undefined) return next();
    const allowed = known.allowed.includes('GET') ? [...known.allowed, 'HEAD'] : known.allowed;
    if (allowed.includes(req.method)) return next();
    const message = `Method Not Allowed: ${req.method} ${req.path}; it takes ${known.allowed.join(', ')}`;
    res.status(405).setHeader('Allow', allowed.join(', ')).type('text/plain').send(message);
  };
}
