import type { Request } from 'express';
import { ColloquyError } from '../../protocol/index.js';
import type { AuthFilters } from '../../conversations/filters.js';

export type Body = Record<string, unknown>;

/** The part of a request that a rule reads; a WebSocket command has it too. */
export type RuleRequest = Pick<Request, 'params'>;

/**
 * What a project's `auth` is asked about a request:
 * - `public`: nothing; the route needs no credentials.
 * - `authenticated`: nothing; any caller with valid credentials may use the route.
 * - rules about records, asked in their order, or a rule about items of the store.
 */
export type RouteAuth = 'public' | 'authenticated' | RecordRule | readonly [RecordRule, ...RecordRule[]] | ItemRule;

/** What a project's handlers are asked, and what the filters that they answer mean. */
export interface RecordRule {
  /** `threads:create`; the event of a command depends on the command. */
  event: string | ((body: Body) => string);
  /** The records whose metadata the filters must match. */
  kind: 'threads' | 'assistants' | 'crons';
  /** What the handler reads and may change. Default: the body and the path's parameters. */
  value?: (req: RuleRequest, body: Body) => Body;
  /** Writes what the handler changed back to the body. */
  apply?: (body: Body, value: Body) => void;
  /** Ids of existing records that the request is about. */
  ids?: (req: RuleRequest, body: Body) => string[];
  /** True if the request may be about a thread that does not exist yet. */
  mayBegin?: (body: Body) => boolean;
  /** The request creates a record or a run with the body's metadata. */
  creates?: 'record' | 'run';
  /** The request merges the body's metadata into existing records. */
  changes?: true;
  /** The request searches: it finds only records that match the filters. */
  finds?: true;
  /** False if the rule does not apply to this request. Default: it applies. */
  applies?: (req: Pick<Request, 'query'>) => boolean;
  /** Bodies of runs, which get the user in their configuration. */
  runs?: (body: Body) => Body[];
  /** If there are runs, the handler is asked about each of them instead of the whole body. */
  eachRun?: Required<Pick<RecordRule, 'value' | 'apply'>>;
  /** Bodies whose metadata get the values of the filters. Default: the runs, or the body. */
  stamps?: (body: Body) => Body[];
}

/** Asks about items of the store; filters are about an item's value with its `namespace` and `key`. */
export interface ItemRule {
  kind: 'items';
  /** Calls `authorize`, and writes what the handler changed back to the request. */
  ask: (req: Request, authorize: Authorize) => Promise<AuthFilters | undefined>;
}

export type Authorize = (event: string, value: Body) => Promise<AuthFilters | undefined>;

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

/** A search: it finds only records that match the filters. */
export function finds(kind: RecordRule['kind'], event: string, more: Partial<RecordRule> = {}): RecordRule {
  return { kind, event, finds: true, ...more };
}

/** A record with the body's metadata. `idField`: the field of the body that may name it. */
export function creates(kind: RecordRule['kind'], event: string, idField?: string): RecordRule {
  const ids = idField === undefined ? {} : { ids: (_req: RuleRequest, body: Body) => stringsIn(body[idField]) };
  return { kind, event, creates: 'record', apply: keepMetadata, ...ids };
}

/** The request merges metadata into the record, which must still match the filters afterwards. */
export const CHANGES = { changes: true, apply: keepMetadata } as const;

/** Leaving this stream with `cancel_on_disconnect` stops its run, so the caller needs that permission too. */
export const cancelsOnDisconnect: RecordRule['applies'] = ({ query }) =>
  (query['cancel_on_disconnect'] ?? 'false') !== 'false';

/** What handlers see and may change of a run. */
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

/** A run on a new thread of its own. */
export function startsStatelessRun(): RecordRule {
  return { ...startsRun(), ids: () => [] };
}

/** Takes over the metadata that a handler left, so that what it removed is removed. */
export function keepMetadata(body: Body, value: Body): void {
  body['metadata'] = value['metadata'] ?? {};
}

/** Takes over what a handler left of these fields of a run, so that what it removed is removed. */
export function keepFields(fields: readonly string[], body: Body, value: Body): void {
  const kwargs = (value['kwargs'] ?? {}) as Body;
  for (const field of fields) {
    if (kwargs[field] === undefined) delete body[field];
    else body[field] = kwargs[field];
  }
}

/** What a handler sees by default. */
export function wholeValue(req: RuleRequest, body: Body): Body {
  return { ...body, metadata: { ...(body['metadata'] as Body | null) }, ...req.params };
}

export function runValue(req: RuleRequest, body: Body): Body {
  const { assistant_id, multitask_strategy, if_not_exists, after_seconds, metadata, input, command, config, context } =
    body;
  const kwargs = Object.fromEntries(
    Object.entries({ input, command, config, context }).filter(([, value]) => value !== undefined),
  );
  return {
    ...req.params,
    assistant_id,
    status: 'pending',
    metadata: { ...(metadata as Body | null) },
    multitask_strategy,
    if_not_exists,
    after_seconds,
    kwargs,
  };
}

/** Errors: `unsupported` without a thread, as the rights on unnamed runs cannot be checked. */
export function threadInBody(body: Body): string {
  const [id] = stringsIn(body['thread_id']);
  if (id !== undefined) return id;
  throw new ColloquyError(
    'unsupported',
    'thread_id: with the auth of this project, runs are cancelled thread by thread',
  );
}

export function isObject(value: unknown): value is Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function param(req: RuleRequest, name: string): string {
  return String(req.params[name]);
}

function stringsIn(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value]).filter((one): one is string => typeof one === 'string');
}
