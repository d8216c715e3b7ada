import express, { Router, type Express } from 'express';

/**
 * Express takes paths in any case and with a trailing slash by default. Code in front of ours (a
 * project's app, a reverse proxy) compares exact paths, so another spelling would pass it.
 */
export function createRouter(): Router {
  return Router({ caseSensitive: true, strict: true });
}

/** An app whose paths have one spelling, as those of {@link createRouter}. */
export function createExpress(): Express {
  const app = express();
  app.enable('case sensitive routing');
  app.enable('strict routing');
  app.disable('x-powered-by');
  app.disable('etag');
  return app;
}
