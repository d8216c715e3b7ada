import express, { Router, type Express } from 'express';

/**
 * Creates a router that compares paths exactly. By default Express ignores upper and lower case and
 * a trailing slash. Code in front of the routes (a project's app, a reverse proxy) compares
 * exactly, so a path in another spelling would bypass its checks.
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
