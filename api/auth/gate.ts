import type { Request, Response } from 'express';
import { OPEN_ACCESS, type Access } from '../../conversations/access.js';
import { cronNotFound } from '../../conversations/change-cron.js';
import { matchesFilters, requiredBy, type AuthFilters } from '../../conversations/filters.js';
import { assistantNotFound, threadNotFound } from '../../conversations/find.js';
import { ColloquyError, errorCode, type Caller } from '../../protocol/index.js';
import { anyWithMetadata } from '../../protocol/schemas/index.js';
import type { ApiContext } from '../context.js';
import { parse } from '../http/validate.js';
import { ProjectAccess, type RequestFilters } from './access.js';
import { callerOf, sessionOf } from './authentication.js';
import type { AuthUser } from './ports.js';
import { addUser } from './run-user.js';
import { wholeValue, type Body, type ItemRule, type RecordRule, type RouteAuth, type RuleRequest } from './rules.js';

/**
 * Asks a project's handlers about a request before its route runs, and applies the filters that they
 * answer: existing records must match them, and what the request creates or changes matches them
 * afterwards. May change the body. Returns what the caller may see. Errors: `not_found`, `forbidden`,
 * `already_exists`, `invalid_argument`, what a handler throws.
 */
export async function enter(context: ApiContext, rules: RouteAuth, req: Request, res: Response): Promise<Access> {
  const { auth } = context;
  if (auth === undefined || rules === 'public' || rules === 'authenticated') return OPEN_ACCESS;
  const session = sessionOf(res);
  const access = new ProjectAccess(context.threads, auth, callerOf(res), session);
  if ('kind' in rules && rules.kind === 'items') {
    return access.withFilters({ items: await askAboutItems(context, rules, req, session.who) });
  }
  const body = objectBody(req);
  let filters: Partial<RequestFilters> | undefined;
  for (const rule of [rules].flat()) {
    if (rule.applies?.(req) === false) continue;
    const answers = await decide(context, rule, { who: session.who, caller: access.caller, req, body });
    const required = rule.finds && isSet(answers[0]) ? { required: requiredBy(answers[0]) } : {};
    // The first rule of a route is about what the request names, later ones about what it creates.
    filters = { ...(filters ?? filtersOf(rule, answers)), ...required };
  }
  return access.withFilters(filters ?? {});
}

/**
 * As {@link enter}, for a command on a thread that comes over a WebSocket: asked and held by the rule
 * of the HTTP route that takes the same command.
 */
export async function enterCommand(
  context: ApiContext,
  rule: RecordRule,
  { access, threadId }: { access: ProjectAccess; threadId: string },
  body: Body,
): Promise<Access> {
  const { who, caller } = access;
  const answers = await decide(context, rule, { who, caller, req: { params: { thread_id: threadId } }, body });
  return access.withFilters({ threads: answers });
}

function askAboutItems(
  { auth }: ApiContext,
  rule: ItemRule,
  req: Request,
  who: AuthUser,
): Promise<AuthFilters | undefined> {
  return rule.ask(req, async (event, value) => auth?.authorize(who, event, value));
}

function filtersOf({ kind }: RecordRule, answers: readonly (AuthFilters | undefined)[]): Partial<RequestFilters> {
  if (kind === 'threads') return { threads: answers };
  return kind === 'assistants' ? { assistants: answers[0] } : {};
}

interface RuledRequest {
  who: AuthUser;
  caller: Caller;
  req: RuleRequest;
  body: Body;
}

/**
 * Asks the handler of a rule, and applies its filters. May change the body. Returns the filters of
 * each part that was asked about: of each run of a batch, else of the whole.
 */
async function decide(
  context: ApiContext,
  rule: RecordRule,
  { who, caller, req, body }: RuledRequest,
): Promise<(AuthFilters | undefined)[]> {
  checkMetadata(rule, body);
  const event = typeof rule.event === 'string' ? rule.event : rule.event(body);
  const runs = rule.runs?.(body) ?? [];
  const isEach = rule.eachRun !== undefined && runs.length > 0;
  const parts = isEach ? runs : [body];
  const { value: valueOf = wholeValue, apply } = (isEach && rule.eachRun) || rule;
  const answers: (AuthFilters | undefined)[] = [];
  for (const part of parts) {
    const value = valueOf(req, part);
    const filters = await context.auth?.authorize(who, event, value);
    apply?.(part, value);
    answers.push(filters);
  }
  addUser(runs, who);
  for (const [index, filters] of answers.entries()) {
    const created = parts.length > 1 ? [parts[index] as Body] : undefined;
    if (isSet(filters)) await hold(context, caller, rule, { req, body, filters, event, ...(created && { created }) });
  }
  return answers;
}

/** Handlers and filters change metadata, so it must be an object first. Errors: `invalid_argument`. */
function checkMetadata({ runs }: RecordRule, body: Body): void {
  for (const part of new Set([body, ...(runs?.(body) ?? [])])) parse(anyWithMetadata, part, 'request body');
}

function isSet(filters: AuthFilters | undefined): filters is AuthFilters {
  return filters !== undefined && Object.keys(filters).length > 0;
}

/** How records of a kind are read, and the error for one that does not exist. */
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
  req: RuleRequest;
  body: Body;
  filters: AuthFilters;
  event: string;
  /** The bodies of what is created under these filters. Default: all that the rule names. */
  created?: Body[];
}

/**
 * Existing records must match the filters, and still match them after a change; what is created gets
 * the values of the filters. Errors: `not_found`, `already_exists`, `forbidden`.
 */
async function hold(
  context: ApiContext,
  caller: Caller,
  rule: RecordRule,
  { req, body, filters, event, created }: Held,
): Promise<void> {
  const { name, missing } = RECORDS[rule.kind];
  for (const id of rule.ids?.(req, body) ?? []) {
    const metadata = await metadataOf(context, caller, rule.kind, id);
    // The route answers an id that is invalid.
    if (metadata === 'invalid') continue;
    if (metadata === 'missing') {
      if (rule.creates === 'record' || rule.mayBegin?.(body)) continue;
      // The same words as for a record of another user, so that a caller cannot tell the two apart.
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
  for (const part of created ?? (rule.stamps ?? rule.runs)?.(body) ?? [body]) {
    part['metadata'] = { ...(part['metadata'] as Body | null), ...equal };
  }
}

async function metadataOf(
  context: ApiContext,
  caller: Caller,
  kind: RecordRule['kind'],
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

/** The body, which rules change in place. The route refuses a body that is not an object. */
function objectBody(req: Request): Body {
  const body = req.body as unknown;
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as Body;
  if (body === undefined && req.method !== 'GET') req.body = {};
  return (body === undefined && req.method !== 'GET' ? req.body : { items: body }) as Body;
}
