import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Router } from 'express';
import { describeApi } from './document.js';
import type { RouteDescription } from '../http/route.js';
import { createRouter } from '../http/router.js';

/**
 * Path of the script that shows the reference page in a browser. The build writes it to `dist/`,
 * beside the compiled form of this file.
 */
const SCRIPT = ['./rapidoc-min.js', '../../dist/api/openapi/rapidoc-min.js']
  .map((path) => fileURLToPath(new URL(path, import.meta.url)))
  .find((path) => existsSync(path));

/** Serves the OpenAPI document, and a page that shows it. */
export function openApiPages(routes: readonly RouteDescription[], info: { version: string }): Router {
  const router = createRouter();
  const document = describeApi(routes, info);

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
