import type { Request, RequestHandler } from 'express';
import { uuid } from '../../protocol/schemas/index.js';
import { checkDepth, parse } from './validate.js';

/** Ids in the path. Errors: `invalid_argument` naming the one that is no UUID. */
export function pathId(req: Request, name: 'thread_id' | 'run_id' | 'cron_id' | 'checkpoint_id'): string {
  return parse(uuid, req.params[name], name);
}

/** The body as JSON; an empty one is an empty object. */
export function bodyOf(req: Request): unknown {
  return (req.body as unknown) ?? {};
}

/** Refuses a body that is nested too deep, before a project's auth or a route looks at it. Errors: `invalid_argument`. */
export const limitDepth: RequestHandler = (req, _res, next) => {
  checkDepth(req.body, 'request body');
  next();
};
