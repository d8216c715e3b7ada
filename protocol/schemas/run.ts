import { z } from 'zod';
import { CANCEL_ACTIONS, MULTITASK_STRATEGIES, RUN_STATUSES, STREAM_MODES } from '../run.js';
import {
  checkpointId,
  checkpointRef,
  jsonObject,
  MAX_PAGE,
  notServed,
  queryBoolean,
  queryLimit,
  queryList,
  queryOffset,
  servedAs,
  uuid,
} from './common.js';
import { config } from './config.js';
import { metadata } from './metadata.js';
import { name, names, text } from './text.js';

/**
 * One target in `goto` of a command: a node's name, or a node's name with an input. RemoteGraph
 * sends the latter as a serialized `Send` of LangGraph.
 */
const goto = z.union([
  name,
  z.strictObject({ node: name, input: z.unknown() }),
  z.strictObject({ lg_name: z.literal('Send'), node: name, args: z.unknown(), timeout: z.null().optional() }),
]);

/**
 * Maximum number of targets in `goto` of a command. Each target becomes a task of the next
 * superstep.
 */
const MAX_GOTO = 100;

export const command = z.strictObject({
  lg_name: z.literal('Command').nullish(),
  resume: z.unknown().optional(),
  update: z.union([jsonObject, z.array(z.tuple([name, z.unknown()]))]).nullish(),
  goto: z.union([goto, z.array(goto).max(MAX_GOTO)]).nullish(),
});

const streamMode = z.enum(STREAM_MODES);
const nodeNames = z.union([z.literal('*'), names]);

const MAX_URL = 2_048;
const YEAR_SECONDS = 366 * 86_400;
const MAX_FEEDBACK_KEYS = 100;

const runFields = {
  assistant_id: name.min(1),
  input: z.unknown().optional(),
  command: command.nullish(),
  checkpoint: checkpointRef.nullish(),
  checkpoint_id: checkpointId.nullish(),
  metadata: metadata.nullish(),
  config: config.nullish(),
  context: z.unknown().optional(),
  interrupt_before: nodeNames.nullish(),
  interrupt_after: nodeNames.nullish(),
  stream_mode: z.union([streamMode, z.array(streamMode)]).nullish(),
  stream_subgraphs: z.boolean().nullish(),
  /** Accepted without effect: every stream is resumable, whether the value is true or false. */
  stream_resumable: z.boolean().nullish(),
  multitask_strategy: z.enum(MULTITASK_STRATEGIES).nullish(),
  if_not_exists: z.enum(['create', 'reject']).nullish(),
  strict_resume: z.boolean().nullish(),
  /**
   * Accepted without effect. Every superstep is stored before the next one starts, as for `sync`.
   * The other values require less.
   */
  durability: z.enum(['sync', 'async', 'exit']).nullish(),
  checkpoint_during: z.boolean().nullish(),
  on_disconnect: z.enum(['continue', 'cancel']).nullish(),
  on_completion: z.enum(['delete', 'keep']).nullish(),
  webhook: text(MAX_URL).min(1).nullish(),
  after_seconds: z.number().min(0).max(YEAR_SECONDS).nullish(),
  /**
   * Keys of LangSmith feedback. For each key, LangSmith creates an address that accepts feedback on
   * the run.
   */
  feedback_keys: z.array(name.min(1)).max(MAX_FEEDBACK_KEYS).nullish(),
  langsmith_tracer: notServed('runs are not sent to LangSmith; OTEL_EXPORTER_OTLP_ENDPOINT is the receiver of traces'),
};

/**
 * Body of the requests that start a run of a thread and stay connected: `POST
 * /threads/{id}/runs/stream` and `POST /threads/{id}/runs/wait`.
 */
export const threadRun = z.strictObject({
  ...runFields,
  on_completion: servedAs(['keep'], 'a thread outlives its runs; delete it by its id'),
});

/** Body of `POST /threads/{id}/runs`, whose client does not stay connected. */
export const threadRunInBackground = threadRun.extend({
  on_disconnect: servedAs(['continue'], 'a background run has no connected client'),
});

const statelessFields = {
  if_not_exists: servedAs(['create'], 'a stateless run creates its thread'),
  checkpoint: notServed('a stateless run has no earlier checkpoint'),
  checkpoint_id: notServed('a stateless run has no earlier checkpoint'),
};

export const statelessRun = z.strictObject({ ...runFields, ...statelessFields });

export const statelessRunInBackground = statelessRun.extend({
  on_disconnect: servedAs(['continue'], 'a background run has no connected client'),
});

/** Body of `POST /runs/batch`. */
export const runBatch = z.array(statelessRunInBackground).min(1).max(MAX_PAGE);

/**
 * Returns a batch of runs with the field names of the HTTP API (snake case). In a batch, the SDK
 * also sends field names in camel case: `assistantId` and `afterSeconds`.
 */
export function wireSpelling(batch: unknown): unknown {
  return Array.isArray(batch) ? batch.map(inSnakeCase) : batch;
}

function inSnakeCase(run: unknown): unknown {
  if (typeof run !== 'object' || run === null || Array.isArray(run)) return run;
  const fields = run as Record<string, unknown>;
  const named = new Map<string, unknown>();
  for (const [name, value] of Object.entries(fields)) {
    const snake = name.replace(/^_/, '').replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const isOther = snake !== name && Object.hasOwn(runFields, snake);
    // If a run has a field in both spellings with different values, do not rename the camel-case
    // one. The schema then refuses it as an unknown field.
    const known = Object.hasOwn(fields, snake) ? fields[snake] : named.get(snake);
    const isContrary = known !== undefined && known !== value;
    named.set(isOther && !isContrary ? snake : name, value);
  }
  return Object.fromEntries(named);
}

export type RunBody = z.infer<z.ZodObject<typeof runFields>>;
export type RunBodyConfig = z.infer<typeof config>;

/**
 * Query parameters of the requests that stream the events of an existing run. Two other schemas
 * pick one parameter each: `runJoinQuery` and `createStreamQuery`.
 */
export const runStreamQuery = z.strictObject({
  stream_mode: queryList.pipe(z.array(streamMode)).optional(),
  namespace: z
    .union([z.string(), z.array(z.string())])
    .transform((value) => (Array.isArray(value) ? value : [value]))
    .optional(),
  cancel_on_disconnect: queryBoolean.optional(),
  /**
   * The hook `useStream` of LangGraph's SDK sends this when it reconnects. The value is ignored,
   * because only the header `Last-Event-ID` decides where the stream resumes.
   */
  checkpoint_id: uuid.optional(),
});

export const runJoinQuery = runStreamQuery.pick({ cancel_on_disconnect: true });

export const createStreamQuery = runStreamQuery.pick({ namespace: true });

export const runListQuery = z.strictObject({
  limit: queryLimit.default(10),
  offset: queryOffset.default(0),
  status: z.enum(RUN_STATUSES).optional(),
  select: queryList.optional(),
  metadata: notServed('listing runs by metadata'),
});

export const runCancelQuery = z
  .strictObject({
    wait: queryBoolean.default(false),
    action: z.enum(CANCEL_ACTIONS).default('interrupt'),
    reason: z.literal('taken').optional(),
  })
  .refine(({ action, reason }) => reason === undefined || action === 'interrupt', {
    path: ['reason'],
    message: 'is only allowed with action interrupt',
  });

export const runCancelManyQuery = z.strictObject({ action: z.enum(CANCEL_ACTIONS).default('interrupt') });

/**
 * Body of `POST /runs/cancel`. It names either runs of one thread by their ids, or all runs with a
 * status, in one thread or in all threads.
 */
export const runCancelMany = z
  .strictObject({
    thread_id: uuid.nullish(),
    run_ids: z.array(uuid).min(1).max(MAX_PAGE).nullish(),
    status: z.enum(['pending', 'running', 'all']).nullish(),
  })
  .refine(({ run_ids, status }) => Boolean(run_ids) !== Boolean(status), {
    message: 'expected either run_ids with a thread_id, or a status',
  })
  .refine(({ run_ids, thread_id }) => !run_ids || Boolean(thread_id), {
    path: ['thread_id'],
    message: 'expected the thread of the runs in run_ids',
  });
export type RunCancelMany = z.infer<typeof runCancelMany>;

/**
 * Header `Last-Event-ID` of a run's stream, parsed to an offset. It is the id of the last event
 * that the client received (`<ms>-<offset>`), or `-1` for the start of the run.
 */
export const lastEventId = z
  .string()
  .regex(/^(-1|\d{1,16}-\d{1,15})$/, 'expected an event id of this server (milliseconds-offset), or -1 for the start')
  .transform((id) => (id === '-1' ? undefined : Number(id.split('-')[1])));

/** Header `Idempotency-Key`. */
export const idempotencyKey = z.string().regex(/^[\x21-\x7e]{1,255}$/, 'expected 1 to 255 visible ASCII characters');
