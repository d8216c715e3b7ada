import { Router, type Request, type RequestHandler, type Response } from 'express';
import { ColloquyError, errorCode, type Caller } from '../../protocol/index.js';
import { callerOf, type ApiContext } from '../context.js';
import { ask, authOf } from './ask.js';
import { asMetadata, matchesFilters } from './filters.js';
import type { AuthFilters, AuthUser, ProjectAuth } from './ports.js';
import { RULES, type Rule } from './rules.js';
import { addStoreRules } from './store-rules.js';

type Body = Record<string, unknown>;

/**
 * Asks a project's handlers before a route does anything, and holds the route to the filters they answer: records that do not match are
 * not found, what is made is made to match. A route without a rule is closed to everybody.
 */
export function authGate(context: ApiContext, auth: ProjectAuth): RequestHandler {
  const router = Router();
  for (const rule of RULES) router[rule.method](rule.path, enforce(context, auth, rule));
  addStoreRules(router, context, auth);
  router.use((req, _res, next) => {
    next(
      new ColloquyError('forbidden', `Forbidden: ${req.method} ${req.path} has no rule for the auth of this project`),
    );
  });
  return router;
}

function enforce(context: ApiContext, auth: ProjectAuth, rule: Rule): RequestHandler {
  return async (req, res, next) => {
    const who = authOf(res);
    if (rule.event === undefined) {
      next('router');
      return;
    }
    const body = objectBody(req);
    const value = rule.value(req, body);
    const filters = await ask(auth, who, res, rule.event, value);
    rule.apply?.(body, value);
    if (rule.runs) addUser(rule.runs(body), who);
    const open = await admit(context, res, rule, { req, body, filters });
    if (open) next(rule.more ? undefined : 'router');
  };
}

/**
 * As {@link authGate}, for a command on a thread that no request carries: asked and held as by the route that it would have over HTTP.
 * May change `body`. Errors: as the route's.
 */
export async function allowCommand(
  context: ApiContext,
  auth: ProjectAuth,
  { who, caller, threadId }: { who: AuthUser; caller: Caller; threadId: string },
  { route, body }: { route: string; body: Body },
): Promise<void> {
  const rule = RULES.find(({ method, path }) => `${method} ${path}` === route);
  if (rule?.event === undefined) throw new ColloquyError('forbidden', `Forbidden: ${route} has no rule`);
  const req = { params: { thread_id: threadId } };
  const value = rule.value(req, body);
  const filters = await auth.authorize(who, rule.event, value);
  rule.apply?.(body, value);
  if (rule.runs) addUser(rule.runs(body), who);
  if (filters !== undefined && Object.keys(filters).length > 0)
    await hold(context, caller, rule, { req, body, filters });
}

/** False where the answer has been given. Errors: `not_found`, `already_exists`, `unsupported`. */
async function admit(
  context: ApiContext,
  res: Response,
  rule: Rule,
  { req, body, filters }: { req: Request; body: Body; filters: AuthFilters | undefined },
): Promise<boolean> {
  if (filters === undefined || Object.keys(filters).length === 0) return true;
  const { metadata, isWhole } = await hold(context, callerOf(res), rule, { req, body, filters });
  if (rule.finds === undefined) return true;
  if (!isWhole) {
    throw new ColloquyError(
      'unsupported',
      `auth: a filter with $contains is not served for ${rule.event}; use equal values`,
    );
  }
  const wanted = (body['metadata'] ?? {}) as Body;
  const contradicts = Object.entries(metadata).some(([key, value]) => key in wanted && wanted[key] !== value);
  body['metadata'] = { ...wanted, ...metadata };
  if (contradicts) res.json(rule.finds === 'count' ? 0 : []);
  return !contradicts;
}

/** Existing records must match the filters; what is made is made to match. Answers the filters as metadata. */
async function hold(
  context: ApiContext,
  caller: Caller,
  rule: Rule,
  { req, body, filters }: { req: Pick<Request, 'params'>; body: Body; filters: AuthFilters },
): Promise<ReturnType<typeof asMetadata>> {
  if (rule.kind === 'other') {
    throw new ColloquyError('unsupported', `auth: filters for ${rule.event} are not served here; answer true or false`);
  }
  for (const id of rule.ids?.(req, body) ?? []) {
    const metadata = await metadataOf(context, caller, rule.kind, id);
    if (metadata === undefined || matchesFilters(metadata, filters)) continue;
    if (rule.creates === 'record') throw new ColloquyError('already_exists', `${nameOf(rule)} already exists: ${id}`);
    throw new ColloquyError('not_found', `${nameOf(rule)} with ID ${id} not found`);
  }
  const found = asMetadata(filters);
  if (rule.creates !== undefined) {
    for (const made of rule.runs?.(body) ?? [body])
      made['metadata'] = { ...(made['metadata'] as Body | null), ...found.metadata };
  }
  return found;
}

/** `undefined`: there is no such record, which its route will say. */
async function metadataOf(
  context: ApiContext,
  caller: Caller,
  kind: Rule['kind'],
  id: string,
): Promise<Body | undefined> {
  try {
    const found =
      kind === 'assistants'
        ? await context.assistants.getAssistant(caller, id)
        : await context.threads.getThread(caller, id.toLowerCase());
    return found.metadata;
  } catch (error) {
    if (['not_found', 'invalid_argument'].includes(errorCode(error) ?? '')) return undefined;
    throw error;
  }
}

function nameOf({ kind }: Rule): string {
  return kind === 'assistants' ? 'Assistant' : 'Thread';
}

/** What graphs read in `config.configurable`, as on LangGraph's servers; nothing that a client sends stands in its place. */
function addUser(runs: Body[], { user, scopes }: AuthUser): void {
  for (const run of runs) {
    const config = (run['config'] ?? {}) as Body;
    const configurable = {
      ...(config['configurable'] as Body | null),
      langgraph_auth_user: user,
      langgraph_auth_user_id: user.identity,
      langgraph_auth_permissions: scopes,
    };
    run['config'] = { ...config, configurable };
  }
}

/** The body to change in place; one that is no object is for the route to refuse. */
function objectBody(req: Request): Body {
  const body = req.body as unknown;
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Body;
  if (body === undefined && req.method !== 'GET') req.body = {};
  return (body === undefined && req.method !== 'GET' ? req.body : { items: body }) as Body;
}
