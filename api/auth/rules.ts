import type { Request } from 'express';
import { ColloquyError } from '../../protocol/index.js';
import type { AuthFilters } from '../../conversations/filters.js';

export type RequestBody = Record<string, unknown>;

/**
 * The part of a request that a rule reads. A command that arrives on a WebSocket has this part too.
 */
export type RuleRequest = Pick<Request, 'params'>;

/**
 * How a route is authorized before it runs:
 * - `public`: not at all; the route needs no credentials.
 * - `authenticated`: any caller with valid credentials may use the route.
 * - one or more rules about records: the project's handlers are asked in the order of the rules.
 * - one rule about items of the store.
 */
export type RouteAuth = 'public' | 'authenticated' | RecordRule | readonly [RecordRule, ...RecordRule[]] | ItemRule;

/**
 * A rule about records. It names the auth event about which a project's handler is asked. It also
 * says how the filters that the handler returns are applied to records.
 */
export interface RecordRule {
  /**
   * The auth event, such as `threads:create`. For a command of protocol v2 it depends on the
   * command.
   */
  event: string | ((body: RequestBody) => string);
  /** The kind of the records whose metadata the filters must match. */
  kind: 'threads' | 'assistants' | 'crons';
  /**
   * Builds the value that the project's handler reads and may change. Default: the body together
   * with the path parameters.
   */
  value?: (req: RuleRequest, body: RequestBody) => RequestBody;
  /** Writes the changes that the project's auth handler made to `value` back to the body. */
  apply?: (body: RequestBody, value: RequestBody) => void;
  /** Returns the ids of the existing records that the request is about. */
  ids?: (req: RuleRequest, body: RequestBody) => string[];
  /** Returns true if the request may be about a thread that does not exist yet. */
  mayBegin?: (body: RequestBody) => boolean;
  /** Set if the request creates a record or a run with the body's metadata. */
  creates?: 'record' | 'run';
  /** Set if the request merges the body's metadata into existing records. */
  changes?: true;
  /**
   * Set if the request is a search. It then returns only records that match the handler's filters.
   */
  finds?: true;
  /** Returns false if the rule does not apply to this request. Default: the rule applies. */
  applies?: (req: Pick<Request, 'query'>) => boolean;
  /**
   * Returns the bodies of the runs that the request starts. Each of these bodies gets the
   * authenticated user in its `config`.
   */
  runs?: (body: RequestBody) => RequestBody[];
  /**
   * If set and the request starts runs, the handler is asked about each run, and not about the
   * whole body. The functions `value` and `apply` in this field are then used instead of those of
   * the rule.
   */
  eachRun?: Required<Pick<RecordRule, 'value' | 'apply'>>;
  /**
   * Returns the bodies of the new records. The values of the filters are added to the metadata of
   * these bodies, so that the new records match the filters. Default: the bodies that `runs`
   * returns, or the whole body if the rule has no `runs`.
   */
  stamps?: (body: RequestBody) => RequestBody[];
}

/**
 * A rule about items of the store. It says how a project's handlers are asked. The filters that the
 * handlers return are conditions on three things: the fields of an item's value, the item's
 * `namespace` and the item's `key`.
 */
export interface ItemRule {
  kind: 'items';
  /** Asks the handlers by calls of `authorize`, and writes their changes back to the request. */
  ask: (req: Request, authorize: AskHandler) => Promise<AuthFilters | undefined>;
}

type AskHandler = (event: string, value: RequestBody) => Promise<AuthFilters | undefined>;

/** Creates a rule about the thread whose id is in the path. */
export function aboutThread(event: RecordRule['event'], more: Partial<RecordRule> = {}): RecordRule {
  return { kind: 'threads', event, ids: (req) => [param(req, 'thread_id')], ...more };
}

/**
 * Creates a rule about the thread of a stateless run. The path contains only the id of the run, and
 * the thread has the same id.
 */
export function aboutStatelessRun(event: string, more: Partial<RecordRule> = {}): RecordRule {
  return { kind: 'threads', event, ids: (req) => [param(req, 'run_id')], ...more };
}

export function aboutAssistant(event: string, more: Partial<RecordRule> = {}): RecordRule {
  return { kind: 'assistants', event, ids: (req) => [param(req, 'assistant_id')], ...more };
}

export function aboutCron(event: string, more: Partial<RecordRule> = {}): RecordRule {
  return { kind: 'crons', event, ids: (req) => [param(req, 'cron_id')], ...more };
}

/** Creates a rule for a search, which returns only records that match the filters. */
export function finds(kind: RecordRule['kind'], event: string, more: Partial<RecordRule> = {}): RecordRule {
  return { kind, event, finds: true, ...more };
}

/**
 * Creates a rule for a request that creates a record with the body's metadata. `idField` is the
 * field of the body that has the id of the record.
 */
export function creates(kind: RecordRule['kind'], event: string, idField?: string): RecordRule {
  const ids = idField === undefined ? {} : { ids: (_req: RuleRequest, body: RequestBody) => stringsIn(body[idField]) };
  return { kind, event, creates: 'record', apply: keepMetadata, ...ids };
}

/**
 * Properties of a rule for a request that merges metadata into an existing record. The record must
 * still match the filters after this change.
 */
export const CHANGES = { changes: true, apply: keepMetadata } as const;

/**
 * Returns true if the request sets `cancel_on_disconnect` to a value other than `false`. Such a
 * request stops the run when the client closes the stream, so the client needs the permission to
 * stop the run.
 */
export const cancelsOnDisconnect: RecordRule['applies'] = ({ query }) =>
  (query['cancel_on_disconnect'] ?? 'false') !== 'false';

/**
 * How handlers are asked about one run: the value that they read, and the fields of the run that
 * they may change.
 */
export const EACH_RUN: Required<Pick<RecordRule, 'value' | 'apply'>> = {
  value: runValue,
  apply: (body, value) => {
    keepMetadata(body, value);
    keepFields(['input', 'command', 'config', 'context'], body, value);
  },
};

/**
 * Creates a rule for a run on the thread whose id is in the path. The request may create that
 * thread.
 */
export function startsRun(): RecordRule {
  return aboutThread('threads:create_run', {
    ...EACH_RUN,
    creates: 'run',
    mayBegin: (body) => body['if_not_exists'] === 'create',
    runs: (body) => [body],
  });
}

/** Creates a rule for a run that gets a new thread. */
export function startsStatelessRun(): RecordRule {
  return { ...startsRun(), ids: () => [] };
}

/**
 * Copies the metadata from the handler's value to the body. Metadata that the handler has removed
 * are removed from the body too.
 */
export function keepMetadata(body: RequestBody, value: RequestBody): void {
  body['metadata'] = value['metadata'] ?? {};
}

/**
 * Copies `fields` of a run from the handler's value to the body. Fields that the handler has
 * removed are removed from the body too.
 */
export function keepFields(fields: readonly string[], body: RequestBody, value: RequestBody): void {
  const kwargs = (value['kwargs'] ?? {}) as RequestBody;
  for (const field of fields) {
    if (kwargs[field] === undefined) delete body[field];
    else body[field] = kwargs[field];
  }
}

/** Returns the value that a handler gets by default: the body together with the path parameters. */
export function wholeValue(req: RuleRequest, body: RequestBody): RequestBody {
  return { ...body, metadata: { ...(body['metadata'] as RequestBody | null) }, ...req.params };
}

export function runValue(req: RuleRequest, body: RequestBody): RequestBody {
  const { assistant_id, multitask_strategy, if_not_exists, after_seconds, metadata, input, command, config, context } =
    body;
  const kwargs = Object.fromEntries(
    Object.entries({ input, command, config, context }).filter(([, value]) => value !== undefined),
  );
  return {
    ...req.params,
    assistant_id,
    status: 'pending',
    metadata: { ...(metadata as RequestBody | null) },
    multitask_strategy,
    if_not_exists,
    after_seconds,
    kwargs,
  };
}

/**
 * Returns the thread id in the body of a request that cancels several runs. Errors: `unsupported`
 * if the body has no thread id. A request without a thread id may cancel runs of any thread, but
 * the project's handler decides about one thread.
 */
export function threadInBody(body: RequestBody): string {
  const [id] = stringsIn(body['thread_id']);
  if (id !== undefined) return id;
  throw new ColloquyError(
    'unsupported',
    'thread_id: with the auth of this project, runs are cancelled thread by thread',
  );
}

export function isObject(value: unknown): value is RequestBody {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function param(req: RuleRequest, name: string): string {
  return String(req.params[name]);
}

function stringsIn(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value]).filter((one): one is string => typeof one === 'string');
}
