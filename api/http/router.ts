import express, { Router, type Express } from 'express';

/**
 * Creates a router that compares paths exactly. By default Express accepts any case and a trailing
 * slash. Code in front of our routes (a project's app, a reverse proxy) compares exact paths, so a
 * path in another spelling would bypass that code.
 */
export function createRouter(): Router {
  return Router({ caseSensitive: true, strict: true });
}

/** Creates an app that compares paths exactly, like {@link createRouter}. */
export function createExpress(): Express {
  const app = express();
  app.enable('case sensitive routing');
  app.enable('strict routing');
  app.disable('x-powered-by');
  app.disable('etag');
  return app;
}
