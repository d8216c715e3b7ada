import type { Request, RequestHandler } from 'express';
import { ColloquyError, errorCode, type Caller } from '../../protocol/index.js';
import { anyWithMetadata } from '../../protocol/schemas/index.js';
import { callerOf, type ApiContext } from '../context.js';
import { cronNotFound } from '../../conversations/change-cron.js';
import { assistantNotFound, threadNotFound } from '../../conversations/find.js';
import { createRouter } from '../http/router.js';
import { parse } from '../http/validate.js';
import { ProjectAccess, hasAccess, keepAccess } from './access.js';
import { type Access } from '../../conversations/access.js';
import { sessionOf } from './session.js';
import { matchesFilters, requiredBy, type AuthFilters } from '../../conversations/filters.js';
import type { AuthUser, ProjectAuth } from './ports.js';
import { requireOf } from './required.js';
import { RULES, type Rule } from './rules.js';
import { addUser } from './run-user.js';
import { addStoreRules } from './store-rules.js';

type Body = Record<string, unknown>;

/**
 * Asks a project's handlers before a route does anything, and holds the route to the filters they answer: records that do not match are
 * not found, what is made is made to match, what matches goes on to match. A route without a rule is closed to everybody.
 */
export function authGate(context: ApiContext, auth: ProjectAuth): RequestHandler {
  const router = createRouter();
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
    if (rule.applies?.(req) === false) return next('router');
    const session = sessionOf(res);
    const caller = callerOf(res);
    const asked = { who: session.who, caller, req, body: objectBody(req) };
    const answers = await decide(context, rule, asked, (event, value) => auth.authorize(session.who, event, value));
    const [filters] = answers;
    if (rule.finds && isSet(filters)) requireOf(res, requiredBy(filters));
    // The first rule of a route is about what the request names, another one about what is made of it.
    if (!hasAccess(res)) {
      const access = new ProjectAccess(context, auth, caller, session);
      keepAccess(res, heldTo(access, rule, answers));
    }
    next(rule.more ? undefined : 'router');
  };
}

function heldTo(access: ProjectAccess, { kind }: Rule, answers: readonly (AuthFilters | undefined)[]): Access {
  if (kind === 'threads') return access.withThreadFilters(answers);
  return kind === 'assistants' ? access.withAssistantFilters(answers[0]) : access;
}

/**
 * As {@link authGate}, for a command on a thread that no request carries: asked and held as by the route that it would have over HTTP.
 * May change `body`. Answers what the command may see. Errors: as the route's.
 */
export async function allowCommand(
  context: ApiContext,
  auth: ProjectAuth,
  { access, threadId }: { access: ProjectAccess; threadId: string },
  { route, body }: { route: string; body: Body },
): Promise<Access> {
  const rule = RULES.find(({ method, path }) => `${method} ${path}` === route);
  if (rule === undefined) throw new ColloquyError('forbidden', `Forbidden: ${route} has no rule`);
  const { who, caller } = access;
  const asked = { who, caller, req: { params: { thread_id: threadId } }, body };
  const answers = await decide(context, rule, asked, (event, value) => auth.authorize(who, event, value));
  return access.withThreadFilters(answers);
}

interface Asked {
  who: AuthUser;
  caller: Caller;
  req: Pick<Request, 'params'>;
  body: Body;
}

/**
 * Asks the handler of a rule, and holds the request to what it answers. May change the body. Answers the filters of each part that was
 * asked about: the runs of a batch, else the whole.
 */
async function decide(
  context: ApiContext,
  rule: Rule,
  { who, caller, req, body }: Asked,
  askHandler: (event: string, value: Body) => Promise<AuthFilters | undefined>,
): Promise<(AuthFilters | undefined)[]> {
  guardMetadata(rule, body);
  const event = typeof rule.event === 'string' ? rule.event : rule.event(body);
  const runs = rule.runs?.(body) ?? [];
  const isEach = rule.eachRun !== undefined && runs.length > 0;
  const parts = isEach ? runs : [body];
  const { value: valueOf, apply } = (isEach && rule.eachRun) || rule;
  const answers: (AuthFilters | undefined)[] = [];
  for (const part of parts) {
    const value = valueOf(req, part);
    const filters = await askHandler(event, value);
    apply?.(part, value);
    answers.push(filters);
  }
  addUser(runs, who);
  for (const [at, filters] of answers.entries()) {
    const made = parts.length > 1 ? [parts[at] as Body] : undefined;
    if (isSet(filters)) await hold(context, caller, rule, { req, body, filters, event, ...(made && { made }) });
  }
  return answers;
}

/** Filters are put into metadata, and what handlers see is made of it, before the route looks. Errors: `invalid_argument`. */
function guardMetadata({ runs }: Rule, body: Body): void {
  for (const made of new Set([body, ...(runs?.(body) ?? [])])) parse(anyWithMetadata, made, 'request body');
}

function isSet(filters: AuthFilters | undefined): filters is AuthFilters {
  return filters !== undefined && Object.keys(filters).length > 0;
}

/** What filters are about, how it is read, and what a client hears of one that is not there. */
const RECORDS = {
  threads: {
    name: 'Thread',
    read: ({ threads }: ApiContext, caller: Caller, id: string) => threads.getThread(caller, id.toLowerCase()),
    missing: (id: string) => threadNotFound(id.toLowerCase()),
  },
  assistants: {
    name: 'Assistant',
    read: ({ assistants }: ApiContext, caller: Caller, id: string) => assistants.getAssistant(caller, id),
    missing: assistantNotFound,
  },
  crons: {
    name: 'Cron',
    read: ({ crons }: ApiContext, caller: Caller, id: string) => crons.getCron(caller, id.toLowerCase()),
    missing: (id: string) => cronNotFound(id.toLowerCase()),
  },
} as const;

interface Held {
  req: Pick<Request, 'params'>;
  body: Body;
  filters: AuthFilters;
  event: string;
  /** What is made under these filters; default: all that the rule says. */
  made?: Body[];
}

/**
 * Existing records must match the filters, and go on to match them; what is made is made to match.
 * Errors: `not_found`, `already_exists`, `forbidden`.
 */
async function hold(
  context: ApiContext,
  caller: Caller,
  rule: Rule,
  { req, body, filters, event, made }: Held,
): Promise<void> {
  const { name, missing } = RECORDS[rule.kind];
  for (const id of rule.ids?.(req, body) ?? []) {
    const metadata = await metadataOf(context, caller, rule.kind, id);
    if (metadata === 'invalid') continue; // which the route says
    if (metadata === 'missing') {
      // In the same words as one of somebody else, so that nobody can tell the two apart.
      if (rule.creates === 'record' || rule.mayBegin?.(body)) continue;
      throw new ColloquyError('not_found', missing(id));
    }
    if (!matchesFilters(metadata, filters)) {
      if (rule.creates === 'record') throw new ColloquyError('already_exists', `${name} already exists: ${id}`);
      throw new ColloquyError('not_found', missing(id));
    }
    if (rule.changes && !matchesFilters({ ...metadata, ...(body['metadata'] as Body | null) }, filters)) {
      const keys = Object.keys(filters).join(', ');
      throw new ColloquyError('forbidden', `Forbidden: ${event}: metadata: ${name} ${id} has to keep its ${keys}`);
    }
  }
  if (rule.creates === undefined) return;
  const { equal } = requiredBy(filters);
  for (const one of made ?? (rule.stamps ?? rule.runs)?.(body) ?? [body])
    one['metadata'] = { ...(one['metadata'] as Body | null), ...equal };
}

async function metadataOf(
  context: ApiContext,
  caller: Caller,
  kind: Rule['kind'],
  id: string,
): Promise<Body | 'missing' | 'invalid'> {
  try {
    return (await RECORDS[kind].read(context, caller, id)).metadata;
  } catch (error) {
    if (errorCode(error) === 'not_found') return 'missing';
    if (errorCode(error) === 'invalid_argument') return 'invalid';
    throw error;
  }
}

/** The body to change in place; one that is no object is for the route to refuse. */
function objectBody(req: Request): Body {
  const body = req.body as unknown;
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Body;
  if (body === undefined && req.method !== 'GET') req.body = {};
  return (body === undefined && req.method !== 'GET' ? req.body : { items: body }) as Body;
}
