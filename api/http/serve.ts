import type { RequestHandler, Router } from 'express';
import type { ApiContext } from '../context.js';
import type { Route } from './route.js';
import { createRouter } from './router.js';

/**
 * Registers routes in Express. If the paths of two routes match a request, the route with fewer
 * path parameters handles the request.
 */
export function serveRoutes(context: ApiContext, routes: readonly Route[]): Router {
  const router = createRouter();
  for (const route of routes.toSorted(byParameters)) router[route.method](route.path, route.handler(context));
  return router;
}

/**
 * Answers 405 and the allowed methods if there are routes for the path of a request, but none of
 * them takes the method of the request.
 */
export function wrongMethod(routes: readonly Route[]): RequestHandler {
  const methodsAt = methodsOf(routes);
  return (req, res, next) => {
    const methods = methodsAt(req.path);
    if (methods === undefined || methods.includes(req.method === 'HEAD' ? 'GET' : req.method)) return next();
    const message = `Method Not Allowed: ${req.method} ${req.path}; it takes ${methods.join(', ')}`;
    res.status(405).setHeader('Allow', methods.join(', ')).type('text/plain').send(message);
  };
}

/**
 * Returns a function that returns the methods of a path, in capitals, or undefined for an unknown
 * path.
 */
export function methodsOf(routes: readonly Route[]): (path: string) => string[] | undefined {
  const paths = [...new Set(routes.toSorted(byParameters).map(({ path }) => path))];
  const patterns = paths.map((path) => ({
    pattern: new RegExp(`^${path.replace(/:\w+/g, '[^/]+')}$`),
    methods: routes.filter((route) => route.path === path).map(({ method }) => method.toUpperCase()),
  }));
  return (path) => patterns.find(({ pattern }) => pattern.test(path))?.methods;
}

/**
 * Compares two routes. The route with fewer path parameters comes first, then the route whose first
 * parameter comes later in the path. So `/threads/count` comes before `/threads/:thread_id`, and
 * `/runs/crons/:cron_id` before `/runs/:run_id/stream`.
 */
function byParameters(a: Route, b: Route): number {
  const parameters = ({ path }: Route) => path.split(':').length;
  const firstAt = ({ path }: Route) => path.indexOf(':');
  return parameters(a) - parameters(b) || firstAt(b) - firstAt(a);
}
