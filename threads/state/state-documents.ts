import type { Binary, Db } from 'mongodb';

/**
 * A document of the collection `checkpoints`. Its key is `<tenant>/<thread>/<kind>/…`, so that a
 * prefix selects the documents of a thread, or those of one kind. Kinds: `c` is a checkpoint
 * without its values, `b` is the value of one channel at one version, `w` is one pending write of a
 * task, `l` is a chunk of values and writes.
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
   * For a long list, and for an inner node of its tree: ids of chunks by height, leaves first. The
   * elements in `data` come after the elements of these chunks.
   */
  list?: string[][];
  /** For values, writes and leaves over 1 MB: ids of the chunks that contain the data. */
  parts?: string[];
  /** For a checkpoint: id of the parent checkpoint. */
  parent?: string;
  /** For a checkpoint: its metadata as LangGraph passed them, as JSON. */
  metadata?: string;
  /** For a checkpoint: metadata of the run that created it, as JSON. */
  labels?: string;
  /** For a pending write: task id, path, index and channel. */
  write?: { taskId: string; path: string; index: number; channel: string };
}

const part = encodeURIComponent;

export function threadPrefix(tenant: string, threadId: string): string {
  return `${tenant}/${part(threadId)}/`;
}

/**
 * Returns the group of the checkpoints of a namespace. Without `ns`, returns the common prefix of
 * the groups of all namespaces.
 */
export function checkpointGroup(tenant: string, threadId: string, ns?: string): string {
  return `${threadPrefix(tenant, threadId)}c/${ns === undefined ? '' : `${part(ns)}/`}`;
}

export function checkpointKey(tenant: string, threadId: string, ns: string, id: string): string {
  return `${checkpointGroup(tenant, threadId, ns)}${id}`;
}

/** Returns the parts of a checkpoint's key. */
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
 * Returns the key of a chunk. Values reference chunks by id and not by key, so that values need no
 * change when a thread is copied.
 */
export function chunkKey(tenant: string, threadId: string, id: string): string {
  return `${chunkGroup(tenant, threadId)}${id}`;
}

/** Returns the ids of the chunks that a document references directly. */
export function chunkIdsOf({ list, parts }: Pick<StateDocument, 'list' | 'parts'>): string[] {
  return [...(list ?? []).flat(), ...(parts ?? [])];
}

/** Returns the serialized data of a document that the driver has read or that was just encoded. */
export function bytes({ data }: Pick<StateDocument, 'data'>): Uint8Array {
  return data instanceof Uint8Array ? data : data.buffer.subarray(0, data.position);
}

/** Returns the common prefix of the groups of all pending writes of a thread. */
export function writeGroups(tenant: string, threadId: string): string {
  return `${threadPrefix(tenant, threadId)}w/`;
}

/** Returns the group of the pending writes of a checkpoint. */
export function writeGroup(tenant: string, threadId: string, ns: string, checkpointId: string): string {
  return `${writeGroups(tenant, threadId)}${part(ns)}/${checkpointId}/`;
}

/**
 * Returns the key of a pending write. Special writes have negative indices, so an offset is added
 * to keep the keys in order.
 */
export function writeKey(group: string, taskId: string, index: number): string {
  return `${group}${taskId}/${String(index + 1000).padStart(6, '0')}`;
}

/**
 * Returns a filter for all groups that start with a prefix. A prefix ends with `/`, and `0` is the
 * character after `/`.
 */
export function prefixRange(prefix: string): { $gte: string; $lt: string } {
  return { $gte: prefix, $lt: `${prefix.slice(0, -1)}0` };
}

/** Creates the index for lookups by group, newest key first. Idempotent. */
export async function ensureStateIndexes(db: Db): Promise<void> {
  await db.collection('checkpoints').createIndex({ group: 1, _id: -1 });
}
