import { z } from 'zod';
import { MULTITASK_STRATEGIES, RUN_STATUSES } from '../run.js';
import { THREAD_STATUSES, TTL_STRATEGIES } from '../thread.js';
import { jsonObject } from './common.js';
import { givenThreadFields } from './thread.js';

/**
 * Schemas of the HTTP answers, for the OpenAPI description. `api/` creates the answers, and a test
 * checks the answers against these schemas.
 */

const moment = z.iso.datetime();
const id = z.guid();

export const assistantAnswer = z.object({
  assistant_id: id,
  graph_id: z.string(),
  name: z.string(),
  description: z.string().nullable(),
  config: jsonObject,
  context: z.unknown(),
  metadata: jsonObject,
  version: z.int(),
  created_at: moment,
  updated_at: moment,
});

export const itemAnswer = z.object({
  namespace: z.array(z.string()),
  key: z.string(),
  value: jsonObject,
  created_at: moment,
  updated_at: moment,
});

export const itemsAnswer = z.object({ items: z.array(itemAnswer.extend({ score: z.number().optional() })) });

export const namespacesAnswer = z.object({ namespaces: z.array(z.array(z.string())) });

export const assistantVersionAnswer = assistantAnswer.omit({ updated_at: true });

export const graphAnswer = z.object({ nodes: z.array(jsonObject), edges: z.array(jsonObject) });

/** A JSON schema. Null if the schema is not known. */
const schema = jsonObject.nullable();

export const graphSchemasAnswer = z.object({
  graph_id: z.string(),
  input_schema: schema,
  output_schema: schema,
  state_schema: schema,
  config_schema: schema,
  context_schema: schema,
});

/** The JSON schemas of a graph's subgraphs, by the namespace of the subgraph. */
export const subgraphsAnswer = z.record(
  z.string(),
  graphSchemasAnswer.extend({ state: schema, input: schema, output: schema, config: schema }),
);

const interrupt = z.object({ id: z.string().optional(), value: z.unknown() });

export const threadAnswer = z.object({
  thread_id: id,
  created_at: moment,
  updated_at: moment,
  state_updated_at: moment,
  ...givenThreadFields,
  metadata: jsonObject,
  status: z.enum(THREAD_STATUSES),
  config: jsonObject,
  values: z.unknown().optional(),
  interrupts: z.record(z.string(), z.array(interrupt)),
  error: z.unknown().optional(),
  /** Present if the request asked for `ttl` and the thread has a time to live. */
  ttl: z.object({ strategy: z.enum(TTL_STRATEGIES), ttl_minutes: z.number(), expires_at: moment }).optional(),
});

/** A thread that a search found. `extracted` is present if the search had the field `extract`. */
export const threadFound = threadAnswer.extend({ extracted: jsonObject }).partial();

export const pruneAnswer = z.object({ pruned_count: z.int() });

export const runAnswer = z.object({
  run_id: id,
  thread_id: id,
  assistant_id: id,
  created_at: moment,
  updated_at: moment,
  status: z.enum(RUN_STATUSES),
  metadata: jsonObject,
  kwargs: jsonObject,
  multitask_strategy: z.enum(MULTITASK_STRATEGIES),
  error: z.unknown().optional(),
  cancel_reason: z.string().optional(),
});

const checkpoint = z.object({
  thread_id: z.string(),
  checkpoint_id: z.string().nullable(),
  checkpoint_ns: z.string(),
  checkpoint_map: jsonObject.nullable(),
});

export const stateAnswer = z.object({
  values: z.unknown(),
  next: z.array(z.string()),
  tasks: z.array(jsonObject),
  metadata: jsonObject.nullable(),
  created_at: z.string().nullable(),
  checkpoint: checkpoint.nullable(),
  parent_checkpoint: checkpoint.nullable(),
  interrupts: z.array(interrupt),
});

/**
 * HTTP answer to an edit of a thread's state. It contains the new checkpoint in three forms: as
 * LangGraph's Agent Server returns it, as a config and as an id. The config and the id are for
 * older clients.
 */
export const stateUpdateAnswer = z.object({
  checkpoint,
  configurable: checkpoint,
  checkpoint_id: z.string().nullable(),
});

export const okAnswer = z.object({ ok: z.literal(true) });

export const infoAnswer = z.object({
  version: z.string(),
  langgraph_js_version: z.string(),
  context: z.literal('js'),
  flags: jsonObject,
});

/** One server-sent event, before its `data` is parsed. */
export const eventAnswer = z.object({ id: z.string(), event: z.string(), data: z.string() });

/** Answer to a command of protocol v2: `success` if the command was executed, else `error`. */
export const commandAnswer = z.union([
  z.looseObject({
    type: z.literal('success'),
    id: z.int(),
    result: z.looseObject({}),
    meta: z.looseObject({ thread_id: z.string(), applied_through_seq: z.int() }),
  }),
  z.looseObject({ type: z.literal('error'), id: z.int().nullable(), error: z.string(), message: z.string() }),
]);
