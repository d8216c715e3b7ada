import { z } from 'zod';
import { hasMoreValues, tooManyValues } from '../value-limit.js';
import { THREAD_STATUSES, TTL_STRATEGIES } from '../thread.js';
import {
  checkpointId,
  checkpointRef,
  fieldNames,
  jsonObject,
  limit,
  MAX_PAGE,
  offset,
  queryBoolean,
  queryJson,
  queryLimit,
  queryList,
  sortOrder,
  ttlMinutes,
  uuid,
} from './common.js';
import { metadata, searchedMetadata } from './metadata.js';
import { command } from './run.js';
import { MAX_NAME, name } from './text.js';

/**
 * Time to live of a thread: the number of minutes until it expires. Instead of the number, a client
 * may send an object that also names what happens then (`strategy`).
 */
const ttl = z
  .union([ttlMinutes, z.strictObject({ ttl: ttlMinutes, strategy: z.enum(TTL_STRATEGIES).nullish() })])
  .transform((given) => (typeof given === 'number' ? { ttl: given } : given));

/**
 * Maximum number of supersteps in the request for a new thread, and of state updates in each
 * superstep. Each superstep and each update is a write to the database.
 */
const MAX_SUPERSTEPS = 1_000;
const MAX_UPDATES = 1_000;

const superstep = z.strictObject({
  updates: z
    .array(
      z
        .strictObject({ values: z.unknown().optional(), command: command.nullish(), as_node: name.min(1) })
        .refine(({ values, command: given }) => values === undefined || values === null || !given, {
          message: 'an update has values or a command, not both',
        }),
    )
    .min(1)
    .max(MAX_UPDATES),
});

/**
 * Fields of a thread that clients set. They have the same names in requests, in HTTP answers and in
 * the thread's record.
 */
export const givenThreadFields = { metadata: metadata.nullish() };

export const threadCreate = z.strictObject({
  thread_id: uuid.nullish(),
  ...givenThreadFields,
  if_exists: z.enum(['raise', 'do_nothing']).nullish(),
  supersteps: z.array(superstep).max(MAX_SUPERSTEPS).nullish(),
  ttl: ttl.nullish(),
});

export const threadPatch = z.strictObject({ ...givenThreadFields, ttl: ttl.nullish() });

export const threadGetQuery = z.strictObject({ include: queryList.pipe(z.array(z.enum(['ttl']))).optional() });

export const MAX_PRUNED = 1000;

export const threadPrune = z.strictObject({
  thread_ids: z.array(uuid).max(MAX_PRUNED),
  strategy: z.enum(TTL_STRATEGIES).nullish(),
});

const THREAD_FIELDS = [
  'thread_id',
  'created_at',
  'updated_at',
  'state_updated_at',
  'metadata',
  'config',
  'context',
  'status',
  'values',
  'interrupts',
  'error',
] as const;

/**
 * Maximum number of values in a search for threads by their state. Each of them may be compared
 * with every value of a state. `threads/` has the same limit for searches by metadata.
 */
const MAX_WANTED_VALUES = 200;
const wantedValues = jsonObject.refine(
  (wanted) => !hasMoreValues(wanted, MAX_WANTED_VALUES),
  tooManyValues(MAX_WANTED_VALUES),
);

const threadFilter = {
  metadata: searchedMetadata.nullish(),
  status: z.enum(THREAD_STATUSES).nullish(),
  values: wantedValues.nullish(),
};

const MAX_EXTRACTED = 10;
const extractName = z
  .string()
  .max(MAX_NAME)
  .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'expected a name of letters, digits and underscores')
  .refine((name) => !(THREAD_FIELDS as readonly string[]).includes(name), 'is the name of a field of threads');
const extractPath = z
  .string()
  .max(MAX_NAME)
  .regex(
    /^(values|metadata|config|interrupts)(\.[^.[\]]+|\[-?\d+\])*$/,
    'expected a path like values.messages[-1].content, which begins with values, metadata, config or interrupts',
  );

export const threadSearch = z.strictObject({
  ...threadFilter,
  ids: z.array(uuid).max(MAX_PAGE).nullish(),
  limit: limit.nullish(),
  offset: offset.nullish(),
  sort_by: z.enum(['thread_id', 'status', 'created_at', 'updated_at', 'state_updated_at']).nullish(),
  sort_order: sortOrder.nullish(),
  select: fieldNames(THREAD_FIELDS).nullish(),
  extract: z
    .record(extractName, extractPath)
    .refine((paths) => Object.keys(paths).length <= MAX_EXTRACTED, `expected at most ${MAX_EXTRACTED} paths`)
    .nullish(),
});

export const threadCount = z.strictObject(threadFilter);

const select = fieldNames([
  'values',
  'next',
  'tasks',
  'checkpoint',
  'metadata',
  'created_at',
  'parent_checkpoint',
  'interrupts',
]);
const querySelect = queryList.pipe(select);

export const stateQuery = z.strictObject({ subgraphs: queryBoolean.optional(), select: querySelect.optional() });

export const stateAtCheckpoint = z.strictObject({
  checkpoint: checkpointRef.nullish(),
  subgraphs: z.boolean().nullish(),
  select: select.nullish(),
});

export const stateUpdate = z.strictObject({
  values: z.union([jsonObject, z.array(z.unknown())]).nullish(),
  as_node: name.min(1).nullish(),
  checkpoint: checkpointRef.nullish(),
  checkpoint_id: checkpointId.nullish(),
});

export const statePatch = z.strictObject({ metadata: metadata.nullish() });

/**
 * Limits a history to the checkpoints before a given one. This checkpoint is given by its id, as a
 * checkpoint object, or as a config that contains a checkpoint object.
 */
const before = z.union([uuid, checkpointRef, z.object({ configurable: checkpointRef })]);

export const historyBody = z.strictObject({
  limit: limit.nullish(),
  before: before.nullish(),
  metadata: searchedMetadata.nullish(),
  checkpoint: checkpointRef.nullish(),
  select: select.nullish(),
});

export const historyQuery = z.strictObject({
  limit: queryLimit.optional(),
  before: uuid.optional(),
  metadata: queryJson(searchedMetadata).optional(),
  checkpoint: queryJson(checkpointRef).optional(),
  select: querySelect.optional(),
});

export type HistoryBody = z.infer<typeof historyBody>;

export const THREAD_STREAM_MODES = ['run_modes', 'lifecycle', 'state_update'] as const;
const streamModes = queryList.pipe(z.array(z.enum(THREAD_STREAM_MODES)));

/**
 * Query parameters of a thread's stream. The parameter for the modes has two names, because the SDK
 * sends `stream_mode`, while the OpenAPI description of LangGraph's Agent Server has
 * `stream_modes`.
 */
export const threadStreamQuery = z.strictObject({
  stream_mode: streamModes.optional(),
  stream_modes: streamModes.optional(),
});

/**
 * Header `Last-Event-ID` of a thread's stream, parsed to an offset. It is the id of the last event
 * that the client received (`<ms>-<offset>`), or `-` or `-1` for all stored events.
 */
export const threadLastEventId = z
  .string()
  .regex(/^(-1?|\d{1,16}-\d{1,15})$/, 'expected an event id of this server (milliseconds-offset), or - for the start')
  .transform((id) => (id.startsWith('-') ? 0 : Number(id.split('-')[1])));
