import { z } from 'zod';
import { THREAD_STATUSES } from '../thread.js';
import {
  checkpointRef,
  jsonObject,
  limit,
  notServed,
  offset,
  queryBoolean,
  queryLimit,
  queryList,
  sortOrder,
  uuid,
} from './common.js';

const ttl = notServed('expiry of threads');

export const threadCreate = z.strictObject({
  thread_id: uuid.nullish(),
  metadata: jsonObject.nullish(),
  if_exists: z.enum(['raise', 'do_nothing']).nullish(),
  supersteps: notServed('threads made from the supersteps of others'),
  ttl,
});

export const threadPatch = z.strictObject({ metadata: jsonObject.nullish(), ttl });

export const threadGetQuery = z.strictObject({ include: notServed('extra fields of threads') });

export const threadSearch = z.strictObject({
  ids: z.array(uuid).nullish(),
  metadata: jsonObject.nullish(),
  status: z.enum(THREAD_STATUSES).nullish(),
  limit: limit.nullish(),
  offset: offset.nullish(),
  sort_by: z.enum(['thread_id', 'status', 'created_at', 'updated_at']).nullish(),
  sort_order: sortOrder.nullish(),
  select: z.array(z.string()).nullish(),
  values: notServed('searching threads by their state'),
  extract: notServed('extracted values'),
});

export const threadCount = z.strictObject({
  metadata: jsonObject.nullish(),
  status: z.enum(THREAD_STATUSES).nullish(),
  values: notServed('searching threads by their state'),
});

const select = z.array(z.string());

export const stateQuery = z.strictObject({ subgraphs: queryBoolean.optional(), select: queryList.optional() });

export const stateAtCheckpoint = z.strictObject({
  checkpoint: checkpointRef.nullish(),
  subgraphs: z.boolean().nullish(),
  select: select.nullish(),
});

export const stateUpdate = z.strictObject({
  values: z.union([jsonObject, z.array(z.unknown())]).nullish(),
  as_node: z.string().min(1).nullish(),
  checkpoint: checkpointRef.nullish(),
  checkpoint_id: uuid.nullish(),
});

/** `before`: a checkpoint id, a checkpoint, or a config that holds one. */
const before = z.union([uuid, checkpointRef, z.object({ configurable: checkpointRef })]);

export const historyBody = z.strictObject({
  limit: limit.nullish(),
  before: before.nullish(),
  metadata: jsonObject.nullish(),
  checkpoint: checkpointRef.nullish(),
  select: select.nullish(),
});

export const historyQuery = z.strictObject({
  limit: queryLimit.optional(),
  before: uuid.optional(),
  select: queryList.optional(),
});

export type HistoryBody = z.infer<typeof historyBody>;
