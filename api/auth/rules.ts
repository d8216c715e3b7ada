import type { Request } from 'express';
import { ColloquyError } from '../../protocol/index.js';
import type { AuthFilters } from '../../conversations/filters.js';

export type RequestBody = Record<string, unknown>;

/** The part of a request that a rule reads; a WebSocket command has it too. */
export type RuleRequest = Pick<Request, 'params'>;

/**
 * Questions for a project's `auth` before a request:
 * - `public`: none; the route needs no credentials.
 * - `authenticated`: none; any caller with valid credentials may use the route.
 * - rules about records, asked in this order, or one rule about items of the store.
 */
export type RouteAuth = 'public' | 'authenticated' | RecordRule | readonly [RecordRule, ...RecordRule[]] | ItemRule;

/** A question for a project's handlers, and how to apply the filters that they return. */
export interface RecordRule {
  /** `threads:create`; the event of a command depends on the command. */
  event: string | ((body: RequestBody) => string);
  /** The records whose metadata the filters must match. */
  kind: 'threads' | 'assistants' | 'crons';
  /**
   * The value that the handler reads and may change. Default: the body and the parameters of the
   * path.
   */
  value?: (req: RuleRequest, body: RequestBody) => RequestBody;
  /** Writes the changes of the handler back to the body. */
  apply?: (body: RequestBody, value: RequestBody) => void;
  /** Ids of existing records that the request is about. */
  ids?: (req: RuleRequest, body: RequestBody) => string[];
  /** True if the request may be about a thread that does not exist yet. */
  mayBegin?: (body: RequestBody) => boolean;
  /** The request creates a record or a run with the body's metadata. */
  creates?: 'record' | 'run';
  /** The request merges the body's metadata into existing records. */
  changes?: true;
  /** The request is a search, which returns only records that match the filters. */
  finds?: true;
  /** False if the rule does not apply to this request. Default: it applies. */
  applies?: (req: Pick<Request, 'query'>) => boolean;
  /** Bodies of runs, which get the user in their configuration. */
  runs?: (body: RequestBody) => RequestBody[];
  /** If there are runs, the handler is asked about each of them instead of the whole body. */
  eachRun?: Required<Pick<RecordRule, 'value' | 'apply'>>;
  /** Bodies whose metadata get the values of the filters. Default: the runs, or the whole body. */
  stamps?: (body: RequestBody) => RequestBody[];
}

/**
 * A question about items of the store. Filters apply to an item's value, with its `namespace` and
 * `key`.
 */
export interface ItemRule {
  kind: 'items';
  /** Calls `authorize` and writes the changes of the handler back to the request. */
  ask: (req: Request, authorize: AskHandler) => Promise<AuthFilters | undefined>;
}

type AskHandler = (event: string, value: RequestBody) => Promise<AuthFilters | undefined>;

/** A rule about the thread in the path. */
export function aboutThread(event: RecordRule['event'], more: Partial<RecordRule> = {}): RecordRule {
  return { kind: 'threads', event, ids: (req) => [param(req, 'thread_id')], ...more };
}

/** The thread of a stateless run has the run's id. */
export function aboutStatelessRun(event: string, more: Partial<RecordRule> = {}): RecordRule {
  return { kind: 'threads', event, ids: (req) => [param(req, 'run_id')], ...more };
}

export function aboutAssistant(event: string, more: Partial<RecordRule> = {}): RecordRule {
  return { kind: 'assistants', event, ids: (req) => [param(req, 'assistant_id')], ...more };
}

export function aboutCron(event: string, more: Partial<RecordRule> = {}): RecordRule {
  return { kind: 'crons', event, ids: (req) => [param(req, 'cron_id')], ...more };
}

/** A search returns only records that match the filters. */
export function finds(kind: RecordRule['kind'], event: string, more: Partial<RecordRule> = {}): RecordRule {
  return { kind, event, finds: true, ...more };
}

/**
 * A rule for a request that creates a record with the body's metadata. `idField`: the field of the
 * body with its id.
 */
export function creates(kind: RecordRule['kind'], event: string, idField?: string): RecordRule {
  const ids = idField === undefined ? {} : { ids: (_req: RuleRequest, body: RequestBody) => stringsIn(body[idField]) };
  return { kind, event, creates: 'record', apply: keepMetadata, ...ids };
}

/** The request merges metadata into the record, which must still match the filters afterwards. */
export const CHANGES = { changes: true, apply: keepMetadata } as const;

/**
 * A client that leaves this stream with `cancel_on_disconnect` stops the run. It therefore needs
 * that permission too.
 */
export const cancelsOnDisconnect: RecordRule['applies'] = ({ query }) =>
  (query['cancel_on_disconnect'] ?? 'false') !== 'false';

/** The value that handlers see of a run, and the fields that they may change. */
export const EACH_RUN: Required<Pick<RecordRule, 'value' | 'apply'>> = {
  value: runValue,
  apply: (body, value) => {
    keepMetadata(body, value);
    keepFields(['input', 'command', 'config', 'context'], body, value);
  },
};

/** A run on the thread in the path, which the request may create. */
export function startsRun(): RecordRule {
  return aboutThread('threads:create_run', {
    ...EACH_RUN,
    creates: 'run',
    mayBegin: (body) => body['if_not_exists'] === 'create',
    runs: (body) => [body],
  });
}

/** A run on a new thread that is created for it. */
export function startsStatelessRun(): RecordRule {
  return { ...startsRun(), ids: () => [] };
}

/** Copies the metadata from the handler's value, including removals. */
export function keepMetadata(body: RequestBody, value: RequestBody): void {
  body['metadata'] = value['metadata'] ?? {};
}

/** Copies these fields of a run from the handler's value, including removals. */
export function keepFields(fields: readonly string[], body: RequestBody, value: RequestBody): void {
  const kwargs = (value['kwargs'] ?? {}) as RequestBody;
  for (const field of fields) {
    if (kwargs[field] === undefined) delete body[field];
    else body[field] = kwargs[field];
  }
}

/** The default value for a handler. */
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
 * Returns the thread id of the body. Errors: `unsupported` without one, because the handlers cannot
 * decide about runs that are not named.
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
