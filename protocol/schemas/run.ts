import { z } from 'zod';
import { CANCEL_ACTIONS, MULTITASK_STRATEGIES, RUN_STATUSES, STREAM_MODES } from '../run.js';
import {
  checkpointRef,
  jsonObject,
  notServed,
  queryBoolean,
  queryLimit,
  queryList,
  queryOffset,
  servedAs,
  UNSUPPORTED,
  uuid,
} from './common.js';

const goto = z.union([z.string(), z.strictObject({ node: z.string(), input: z.unknown() })]);

export const command = z.strictObject({
  resume: z.unknown().optional(),
  update: z.union([jsonObject, z.array(z.tuple([z.string(), z.unknown()]))]).nullish(),
  goto: z.union([goto, z.array(goto)]).nullish(),
});

export const config = z.strictObject({
  tags: z.array(z.string()).nullish(),
  recursion_limit: z.int().min(1).nullish(),
  configurable: jsonObject.nullish(),
  metadata: jsonObject.nullish(),
});

const streamMode = z.enum(STREAM_MODES);
const nodeNames = z.union([z.literal('*'), z.array(z.string())]);

const runFields = {
  assistant_id: z.string().min(1),
  input: z.unknown().optional(),
  command: command.nullish(),
  checkpoint: checkpointRef.nullish(),
  checkpoint_id: uuid.nullish(),
  metadata: jsonObject.nullish(),
  config: config.nullish(),
  context: z.unknown().optional(),
  interrupt_before: nodeNames.nullish(),
  interrupt_after: nodeNames.nullish(),
  stream_mode: z.union([streamMode, z.array(streamMode)]).nullish(),
  stream_subgraphs: z.boolean().nullish(),
  /** Every stream is resumable, so both values are satisfied. */
  stream_resumable: z.boolean().nullish(),
  multitask_strategy: z.enum(MULTITASK_STRATEGIES).nullish(),
  if_not_exists: z.enum(['create', 'reject']).nullish(),
  strict_resume: z.boolean().nullish(),
  durability: servedAs(['sync', 'async'], 'every step is saved before the next one; use "sync" or "async"'),
  checkpoint_during: servedAs([true], 'every step is saved before the next one'),
  on_disconnect: z.enum(['continue', 'cancel']).nullish(),
  on_completion: z.enum(['delete', 'keep']).nullish(),
  webhook: notServed('webhooks'),
  after_seconds: servedAs([0], 'delayed runs'),
  feedback_keys: z
    .array(z.string())
    .nullish()
    .superRefine((keys, context) => {
      if (keys?.length)
        context.addIssue({ code: 'custom', message: 'not served here: feedback keys', params: UNSUPPORTED });
    }),
  langsmith_tracer: notServed('LangSmith tracing'),
};

/** Body of a run on a thread that a client stays connected to (`/runs/stream`, `/runs/wait`). */
export const threadRun = z.strictObject({
  ...runFields,
  on_completion: servedAs(['keep'], 'a thread outlives its runs; delete it by its id'),
});

/** Body of `POST /threads/{id}/runs`: nobody is connected. */
export const threadRunInBackground = threadRun.extend({
  on_disconnect: servedAs(['continue'], 'nobody is connected to a run in the background'),
});

const statelessFields = {
  if_not_exists: servedAs(['create'], 'a stateless run makes its own thread'),
  checkpoint: notServed('a stateless run has no earlier checkpoint'),
  checkpoint_id: notServed('a stateless run has no earlier checkpoint'),
};

export const statelessRun = z.strictObject({ ...runFields, ...statelessFields });

export const statelessRunInBackground = statelessRun.extend({
  on_disconnect: servedAs(['continue'], 'nobody is connected to a run in the background'),
});

export type RunBody = z.infer<z.ZodObject<typeof runFields>>;
export type RunBodyConfig = z.infer<typeof config>;

/** Query of a run's stream; also of the request that creates one. */
export const runStreamQuery = z.strictObject({
  stream_mode: queryList.pipe(z.array(streamMode)).optional(),
  namespace: z
    .union([z.string(), z.array(z.string())])
    .transform((value) => (Array.isArray(value) ? value : [value]))
    .optional(),
  cancel_on_disconnect: queryBoolean.optional(),
  /** The SDK's hook sends it along when it comes back; where to go on is said by Last-Event-ID alone. */
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

export const runCancelQuery = z.strictObject({
  wait: queryBoolean.default(false),
  action: z.enum(CANCEL_ACTIONS).default('interrupt'),
  reason: notServed('steering a run with its queued input'),
});

/** `ms-seq` of the last event seen, or `-1` for the start of the run. */
export const lastEventId = z
  .string()
  .regex(/^(-1|\d{1,16}-\d{1,15})$/, 'expected an event id of this server (milliseconds-offset), or -1 for the start')
  .transform((id) => (id === '-1' ? undefined : Number(id.split('-')[1])));

/** Header `Idempotency-Key`. */
export const idempotencyKey = z.string().regex(/^[\x21-\x7e]{1,255}$/, 'expected 1 to 255 visible ASCII characters');
