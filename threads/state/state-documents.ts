import type { Binary, Db } from 'mongodb';

/**
 * A document of collection `checkpoints`. Its key is `<tenant>/<thread>/<kind>/…`, so that a prefix
 * selects a thread or one kind of a thread. Kinds: `c` a checkpoint without its values, `b` the
 * value of one channel at one version, `w` one pending write of a task, `l` a chunk of values and
 * writes.
 */
export interface StateDocument {
  _id: string;
  /**
   * The indexed field for lookups without the key: see {@link checkpointGroup}, {@link writeGroup},
   * {@link blobGroup}, {@link chunkGroup}.
   */
  group: string;
  /** Type tag of the serializer. */
  type: string;
  data: Binary | Uint8Array;
  /**
   * For a long list and an inner node of one: ids of chunks by height, leaves first. The elements
   * in `data` follow after these chunks.
   */
  list?: string[][];
  /** `b`, `w` and leaves over 1 MB: ids of the chunks that contain the data. */
  parts?: string[];
  /** `c`: parent checkpoint id. */
  parent?: string;
  /** `c`: metadata as JSON, as LangGraph gave it. */
  metadata?: string;
  /** `c`: metadata of the run that created it, as JSON. */
  labels?: string;
  /** `w`: task id, path, index and channel. */
  write?: { taskId: string; path: string; index: number; channel: string };
}

const part = encodeURIComponent;

export function threadPrefix(tenant: string, threadId: string): string {
  return `${tenant}/${part(threadId)}/`;
}

/** Group of the checkpoints of a namespace; without `ns`, the prefix of all these groups. */
export function checkpointGroup(tenant: string, threadId: string, ns?: string): string {
  return `${threadPrefix(tenant, threadId)}c/${ns === undefined ? '' : `${part(ns)}/`}`;
}

export function checkpointKey(tenant: string, threadId: string, ns: string, id: string): string {
  return `${checkpointGroup(tenant, threadId, ns)}${id}`;
}

/** Parts of a checkpoint's key. */
export function parseCheckpointKey(key: string): { threadId: string; ns: string; id: string } {
  const [, threadId, , ns, id] = key.split('/');
  return { threadId: decodeURIComponent(threadId ?? ''), ns: decodeURIComponent(ns ?? ''), id: id ?? '' };
}

export function blobGroup(tenant: string, threadId: string): string {
  return `${threadPrefix(tenant, threadId)}b/`;
}

export function blobKey(
  tenant: string,
  threadId: string,
  ns: string,
  channel: string,
  version: string | number,
): string {
  return `${blobGroup(tenant, threadId)}${part(ns)}/${part(channel)}/${version}`;
}

export function chunkGroup(tenant: string, threadId: string): string {
  return `${threadPrefix(tenant, threadId)}l/`;
}

/**
 * Values reference chunks by id, not by key, so that a copy of a thread needs no change in them.
 */
export function chunkKey(tenant: string, threadId: string, id: string): string {
  return `${chunkGroup(tenant, threadId)}${id}`;
}

/** Ids of the chunks that a document references directly. */
export function chunkIdsOf({ list, parts }: Pick<StateDocument, 'list' | 'parts'>): string[] {
  return [...(list ?? []).flat(), ...(parts ?? [])];
}

/** Serialized data of a document that was read from the driver or just encoded. */
export function bytes({ data }: Pick<StateDocument, 'data'>): Uint8Array {
  return data instanceof Uint8Array ? data : data.buffer.subarray(0, data.position);
}

/** Prefix of the groups of all pending writes of a thread. */
export function writeGroups(tenant: string, threadId: string): string {
  return `${threadPrefix(tenant, threadId)}w/`;
}

/** Group of the pending writes of a checkpoint. */
export function writeGroup(tenant: string, threadId: string, ns: string, checkpointId: string): string {
  return `${writeGroups(tenant, threadId)}${part(ns)}/${checkpointId}/`;
}

/** Special writes have negative indices; an offset keeps the keys in order. */
export function writeKey(group: string, taskId: string, index: number): string {
  return `${group}${taskId}/${String(index + 1000).padStart(6, '0')}`;
}

/** All groups that start with a prefix. `0` is the character after `/`, the prefix's last one. */
export function prefixRange(prefix: string): { $gte: string; $lt: string } {
  return { $gte: prefix, $lt: `${prefix.slice(0, -1)}0` };
}

/** Creates the index for lookups by group, newest key first. Idempotent. */
export async function ensureStateIndexes(db: Db): Promise<void> {
  await db.collection('checkpoints').createIndex({ group: 1, _id: -1 });
}
