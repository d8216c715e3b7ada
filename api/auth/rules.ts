import type { Request } from 'express';
import { ColloquyError } from '../../protocol/index.js';
import { assistantDeleteQuery } from '../../protocol/schemas/index.js';

type Body = Record<string, unknown>;
type Asked = Pick<Request, 'params'>;

/** What a route asks a project's handlers, and what their filters then mean. */
export interface Rule {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  path: string;
  /** `threads:create`; of a command, by what it does. */
  event: string | ((body: Body) => string);
  /** Whose metadata filters are about. */
  kind: 'threads' | 'assistants' | 'crons';
  /** What the handler sees, and may change. */
  value: (req: Asked, body: Body) => Body;
  /** Takes over what the handler changed. */
  apply?: (body: Body, value: Body) => void;
  /** Existing records that the request is about. */
  ids?: (req: Asked, body: Body) => string[];
  /** The request may be about a thread that is not there yet. */
  mayBegin?: (body: Body) => boolean;
  /** Something is made of the body's metadata. */
  creates?: 'record' | 'run';
  /** The body's metadata are merged into those of the records. */
  changes?: true;
  /** The route looks for records, and finds only such as `requiredOf` says. */
  finds?: true;
  /** The next rule of the route is asked too. */
  more?: boolean;
  /** Of a rule behind another: whether it is asked for this request; default: always. */
  applies?: (req: Pick<Request, 'query'>) => boolean;
  /** Bodies of runs, which are to know their user. */
  runs?: (body: Body) => Body[];
  /** Where there are runs, the handler is asked about each of them in place of the whole. */
  eachRun?: Required<Pick<Rule, 'value' | 'apply'>>;
  /** Whose metadata get the values of the filters; default: the runs', or the body's. */
  stamps?: (body: Body) => Body[];
}

type Choice = Partial<Omit<Rule, 'method' | 'path' | 'event' | 'kind'>> & Pick<Rule, 'kind'>;

const thread: Choice = { kind: 'threads', ids: (req) => [param(req, 'thread_id')] };
const stateless: Choice = { kind: 'threads', ids: (req) => [param(req, 'run_id')] };
/** Whoever leaves such a stream stops its run. */
const cancels: Rule['applies'] = ({ query }) => (query['cancel_on_disconnect'] ?? 'false') !== 'false';
const assistant: Choice = { kind: 'assistants', ids: (req) => [param(req, 'assistant_id')] };
/** Also what a handler has taken away. */
const keepMetadata = (body: Body, value: Body) => void (body['metadata'] = value['metadata'] ?? {});
const made = { creates: 'record', apply: keepMetadata } as const;
const patched = { changes: true, apply: keepMetadata } as const;
const own = (body: Body) => [body];
const asRun: Rule['eachRun'] & object = {
  value: runValue,
  apply: (body, value) => {
    keepMetadata(body, value);
    keepFields(['input', 'command', 'config', 'context'], body, value);
  },
};
const run: Choice = {
  ...thread,
  ...asRun,
  creates: 'run',
  mayBegin: (body) => body['if_not_exists'] === 'create',
  runs: own,
};
/** What a handler made of these fields of a run; one that it took away is gone. */
function keepFields(fields: readonly string[], body: Body, value: Body): void {
  const kwargs = (value['kwargs'] ?? {}) as Body;
  for (const field of fields) {
    if (kwargs[field] === undefined) delete body[field];
    else body[field] = kwargs[field];
  }
}
const batch = (body: Body) => (Array.isArray(body['items']) ? body['items'].filter(isObject) : []);
const ordered =
  (...methods: unknown[]) =>
  (body: Body) =>
    methods.includes(body['method']) && isObject(body['params']) ? [body['params']] : [];
const cron: Choice = { kind: 'crons', ids: (req) => [param(req, 'cron_id')] };

/** Every route that asks; the first that matches counts. */
export const RULES: readonly Rule[] = [
  rule('post /assistants', 'assistants:create', {
    ...made,
    kind: 'assistants',
    ids: (_req, body) => given(body['assistant_id']),
  }),
  rule('post /assistants/search', 'assistants:search', { kind: 'assistants', finds: true }),
  rule('post /assistants/count', 'assistants:search', { kind: 'assistants', finds: true }),
  rule('get /assistants/:assistant_id', 'assistants:read', assistant),
  rule('patch /assistants/:assistant_id', 'assistants:update', { ...assistant, ...patched }),
  rule('delete /assistants/:assistant_id', 'assistants:delete', { ...assistant, more: true }),
  rule('delete /assistants/:assistant_id', 'threads:delete', {
    kind: 'threads',
    finds: true,
    applies: ({ query }) => assistantDeleteQuery.safeParse(query).data?.delete_threads === true,
  }),
  rule('post /assistants/:assistant_id/latest', 'assistants:update', { ...assistant, finds: true }),
  rule('post /assistants/:assistant_id/versions', 'assistants:read', { ...assistant, finds: true }),
  rule('get /assistants/:assistant_id/*rest', 'assistants:read', assistant),

  rule('post /threads', 'threads:create', { ...made, kind: 'threads', ids: (_req, body) => given(body['thread_id']) }),
  rule('post /threads/search', 'threads:search', { kind: 'threads', finds: true }),
  rule('post /threads/count', 'threads:search', { kind: 'threads', finds: true }),
  rule('post /threads/prune', 'threads:delete', { kind: 'threads', finds: true }),
  rule('get /threads/:thread_id', 'threads:read', thread),
  rule('patch /threads/:thread_id', 'threads:update', { ...thread, ...patched }),
  rule('delete /threads/:thread_id', 'threads:delete', thread),
  rule('post /threads/:thread_id/copy', 'threads:read', { ...thread, more: true }),
  rule('post /threads/:thread_id/copy', 'threads:create', {
    kind: 'threads',
    creates: 'record',
    value: () => ({ metadata: {} }),
    apply: (body, value) => void (body['metadata'] = value['metadata']),
  }),
  rule('post /threads/:thread_id/state', 'threads:update', thread),
  rule('post /threads/:thread_id/state/checkpoint', 'threads:read', thread),
  rule('post /threads/:thread_id/history', 'threads:read', thread),
  rule('get /threads/:thread_id/state', 'threads:read', thread),
  rule('get /threads/:thread_id/state/:checkpoint_id', 'threads:read', thread),
  rule('patch /threads/:thread_id/state', 'threads:update', { ...thread, ...patched }),
  rule('get /threads/:thread_id/history', 'threads:read', thread),
  rule('get /threads/:thread_id/stream', 'threads:read', thread),
  rule('post /threads/:thread_id/stream/events', 'threads:read', { ...thread, mayBegin: () => true }),
  // Commands that begin a run are asked about as the run. That of a fork has the metadata of its thread.
  rule('post /threads/:thread_id/commands', commandEvent, {
    ...thread,
    mayBegin: () => true,
    creates: 'run',
    runs: ordered('run.start', 'input.respond', 'state.fork'),
    eachRun: {
      value: commandValue,
      apply: (params, value) => {
        if (!('checkpoint_id' in params)) keepMetadata(params, value);
        keepFields(['input', 'config'], params, value);
      },
    },
    stamps: ordered('run.start', 'input.respond'),
  }),

  rule('post /threads/:thread_id/runs/crons', 'threads:create_run', { ...run, more: true }),
  rule('post /threads/:thread_id/runs/crons', 'crons:create', { ...made, kind: 'crons' }),
  rule('post /threads/:thread_id/runs', 'threads:create_run', run),
  rule('post /threads/:thread_id/runs/wait', 'threads:create_run', run),
  rule('post /threads/:thread_id/runs/stream', 'threads:create_run', run),
  rule('get /threads/:thread_id/runs', 'threads:search', thread),
  rule('get /threads/:thread_id/runs/*rest', 'threads:read', { ...thread, more: true }),
  rule('get /threads/:thread_id/runs/*rest', 'threads:update', { ...thread, applies: cancels }),
  rule('delete /threads/:thread_id/runs/:run_id', 'threads:delete', thread),
  rule('post /threads/:thread_id/runs/:run_id/cancel', 'threads:update', thread),

  rule('post /runs/crons', 'crons:create', { ...made, kind: 'crons', runs: own }),
  rule('post /runs/crons/search', 'crons:search', { kind: 'crons', finds: true }),
  rule('post /runs/crons/count', 'crons:search', { kind: 'crons', finds: true }),
  rule('post /runs/crons/:cron_id/backfill', 'crons:update', cron),
  rule('get /runs/crons/:cron_id', 'crons:read', cron),
  rule('patch /runs/crons/:cron_id', 'crons:update', { ...cron, ...patched }),
  rule('delete /runs/crons/:cron_id', 'crons:delete', cron),
  rule('post /runs', 'threads:create_run', { ...run, ids: () => [] }),
  rule('post /runs/wait', 'threads:create_run', { ...run, ids: () => [] }),
  rule('post /runs/stream', 'threads:create_run', { ...run, ids: () => [] }),
  rule('post /runs/cancel', 'threads:update', { kind: 'threads', ids: (_req, body) => [neededThread(body)] }),
  rule('post /runs/batch', 'threads:create_run', { kind: 'threads', creates: 'run', runs: batch, eachRun: asRun }),
  // The thread of a stateless run has the run's id.
  rule('get /runs/:run_id/*rest', 'threads:read', { ...stateless, more: true }),
  rule('get /runs/:run_id/*rest', 'threads:update', { ...stateless, applies: cancels }),
];

function rule(route: string, event: Rule['event'], choice: Choice): Rule {
  const [method, path = ''] = route.split(' ');
  return {
    method: method as Rule['method'],
    path,
    event,
    value: wholeValue,
    ...choice,
  };
}

function wholeValue(req: Asked, body: Body): Body {
  return { ...body, metadata: { ...(body['metadata'] as Body | null) }, ...req.params };
}

/** Commands that only read ask for no more than reading. */
const READING_COMMANDS: readonly unknown[] = ['state.get', 'state.listCheckpoints', 'agent.getTree'];

function commandEvent(body: Body): string {
  return READING_COMMANDS.includes(body['method']) ? 'threads:read' : 'threads:create_run';
}

/** The parameters of a command that begins a run, as a run's: an answer is its command. */
function commandValue(req: Asked, params: Body): Body {
  const { response, responses, update, goto } = params;
  const answers = response !== undefined || responses !== undefined;
  const command = answers && { resume: response ?? responses, update, goto };
  return runValue(req, { ...params, ...(command && { command }) });
}

function runValue(req: Asked, body: Body): Body {
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

/** Errors: `unsupported` without one: whose runs would be cancelled cannot be checked. */
function neededThread(body: Body): string {
  const [id] = given(body['thread_id']);
  if (id !== undefined) return id;
  throw new ColloquyError(
    'unsupported',
    'thread_id: with the auth of this project, runs are cancelled thread by thread',
  );
}

function isObject(value: unknown): value is Body {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function param(req: Asked, name: string): string {
  return String(req.params[name]);
}

function given(value: unknown): string[] {
  return (Array.isArray(value) ? value : [value]).filter((one): one is string => typeof one === 'string');
}
