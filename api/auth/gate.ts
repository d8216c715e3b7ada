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
import {
  wholeValue,
  type RequestBody,
  type ItemRule,
  type RecordRule,
  type RouteAuth,
  type RuleRequest,
} from './rules.js';

/**
 * Asks a project's handlers about a request before its route runs, and applies the filters that
 * they return. Existing records must match the filters before the request and after it. Records
 * that the request creates get the values of the filters as metadata. The handlers may change the
 * body. Returns what the caller may see. Errors: `not_found`, `forbidden`, `already_exists`,
 * `invalid_argument`, and errors of a handler.
 */
export async function enter(context: ApiContext, rules: RouteAuth, req: Request, res: Response): Promise<Access> {
  const { auth } = context;
  if (auth === undefined || rules === 'public' || rules === 'authenticated') return OPEN_ACCESS;
  const session = sessionOf(res);
  const access = new ProjectAccess(context.threads, auth, callerOf(res), session);
  if ('kind' in rules && rules.kind === 'items') {
    return access.withFilters({ items: await askAboutItems(context, rules, req, session.authUser) });
  }
  const body = objectBody(req);
  let filters: Partial<RequestFilters> | undefined;
  for (const rule of [rules].flat()) {
    if (rule.applies?.(req) === false) continue;
    const answers = await askAndApply(context, rule, { authUser: session.authUser, caller: access.caller, req, body });
    const required = rule.finds && isSet(answers[0]) ? { required: requiredBy(answers[0]) } : {};
    // A request can have several rules. The first rule that applies is about the records that the
    // request names. Its filters are kept, because the route checks these records again. If any
    // rule is for a search, the filters of that rule become `required`: the search then finds only
    // records that match them.
    filters = { ...(filters ?? filtersOf(rule, answers)), ...required };
  }
  return access.withFilters(filters ?? {});
}

/**
 * Does the same as {@link enter} for a command that arrives on a WebSocket. `rule` is the rule of
 * the HTTP route that takes the same command.
 */
export async function enterCommand(
  context: ApiContext,
  rule: RecordRule,
  { access, threadId }: { access: ProjectAccess; threadId: string },
  body: RequestBody,
): Promise<Access> {
  const { authUser, caller } = access;
  const answers = await askAndApply(context, rule, {
    authUser,
    caller,
    req: { params: { thread_id: threadId } },
    body,
  });
  return access.withFilters({ threads: answers });
}

function askAboutItems(
  { auth }: ApiContext,
  rule: ItemRule,
  req: Request,
  authUser: AuthUser,
): Promise<AuthFilters | undefined> {
  return rule.ask(req, async (event, value) => auth?.authorize(authUser, event, value));
}

function filtersOf({ kind }: RecordRule, answers: readonly (AuthFilters | undefined)[]): Partial<RequestFilters> {
  if (kind === 'threads') return { threads: answers };
  return kind === 'assistants' ? { assistants: answers[0] } : {};
}

interface RuledRequest {
  authUser: AuthUser;
  caller: Caller;
  req: RuleRequest;
  body: RequestBody;
}

/**
 * Asks the handler that a rule names, and applies the filters that the handler returns. The handler
 * may change the body. For a batch of runs, the handler is asked about each run, and the result has
 * the filters of each run. Otherwise the result has one entry.
 */
async function askAndApply(
  context: ApiContext,
  rule: RecordRule,
  { authUser, caller, req, body }: RuledRequest,
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
    const filters = await context.auth?.authorize(authUser, event, value);
    apply?.(part, value);
    answers.push(filters);
  }
  addUser(runs, authUser);
  for (const [index, filters] of answers.entries()) {
    const created = parts.length > 1 ? [parts[index] as RequestBody] : undefined;
    if (isSet(filters))
      await applyFilters(context, caller, rule, { req, body, filters, event, ...(created && { created }) });
  }
  return answers;
}

/**
 * Checks that the metadata of a body and of the runs in it are objects, because handlers and
 * filters change them. Errors: `invalid_argument`.
 */
function checkMetadata({ runs }: RecordRule, body: RequestBody): void {
  for (const part of new Set([body, ...(runs?.(body) ?? [])])) parse(anyWithMetadata, part, 'request body');
}

function isSet(filters: AuthFilters | undefined): filters is AuthFilters {
  return filters !== undefined && Object.keys(filters).length > 0;
}

/**
 * For each kind of record: its name, a function that reads a record, and the message of the error
 * if a record does not exist.
 */
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

interface FilteredRequest {
  req: RuleRequest;
  body: RequestBody;
  filters: AuthFilters;
  event: string;
  /**
   * The bodies that get the values of `filters` as metadata. Default: the bodies of all records
   * that the request creates.
   */
  created?: RequestBody[];
}

/**
 * Checks that the existing records of a request match the filters, and that they still match after
 * the change that the request makes. Adds the values of the filters to the metadata of the records
 * that the request creates. Errors: `not_found`, `already_exists`, `forbidden`.
 */
async function applyFilters(
  context: ApiContext,
  caller: Caller,
  rule: RecordRule,
  { req, body, filters, event, created }: FilteredRequest,
): Promise<void> {
  const { name, missing } = RECORDS[rule.kind];
  for (const id of rule.ids?.(req, body) ?? []) {
    const metadata = await metadataOf(context, caller, rule.kind, id);
    // An invalid id is ignored here, because the route itself refuses it.
    if (metadata === 'invalid') continue;
    if (metadata === 'missing') {
      if (rule.creates === 'record' || rule.mayBegin?.(body)) continue;
      // The message is the same as for a record that exists and belongs to another user. A caller
      // therefore cannot find out which records exist.
      throw new ColloquyError('not_found', missing(id));
    }
    if (!matchesFilters(metadata, filters)) {
      if (rule.creates === 'record') throw new ColloquyError('already_exists', `${name} already exists: ${id}`);
      throw new ColloquyError('not_found', missing(id));
    }
    if (rule.changes && !matchesFilters({ ...metadata, ...(body['metadata'] as RequestBody | null) }, filters)) {
      const keys = Object.keys(filters).join(', ');
      throw new ColloquyError('forbidden', `Forbidden: ${event}: metadata: ${name} ${id} has to keep its ${keys}`);
    }
  }
  if (rule.creates === undefined) return;
  const { equal } = requiredBy(filters);
  for (const part of created ?? (rule.stamps ?? rule.runs)?.(body) ?? [body]) {
    part['metadata'] = { ...(part['metadata'] as RequestBody | null), ...equal };
  }
}

async function metadataOf(
  context: ApiContext,
  caller: Caller,
  kind: RecordRule['kind'],
  id: string,
): Promise<RequestBody | 'missing' | 'invalid'> {
  try {
    return (await RECORDS[kind].read(context, caller, id)).metadata;
  } catch (error) {
    if (errorCode(error) === 'not_found') return 'missing';
    if (errorCode(error) === 'invalid_argument') return 'invalid';
    throw error;
  }
}

/**
 * Returns the body of a request as an object that rules can change in place. A body that is not an
 * object becomes the field `items` of a new object. Only routes that take a list accept such a
 * body.
 */
function objectBody(req: Request): RequestBody {
  const body = req.body as unknown;
  if (typeof body === 'object' && body !== null && !Array.isArray(body)) return body as RequestBody;
  if (body === undefined && req.method !== 'GET') req.body = {};
  return (body === undefined && req.method !== 'GET' ? req.body : { items: body }) as RequestBody;
}
