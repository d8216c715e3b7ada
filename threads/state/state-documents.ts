import type { Binary, Db } from 'mongodb';

/**
 * A document of the collection `checkpoints`. Its key is `<tenant>/<thread>/<kind>/…`, so that a
 * prefix selects all documents of a thread, or all of one kind. Kinds: `c` is a checkpoint without
 * its values, `b` is the value of one channel at one version, `w` is one pending write of a task,
 * `l` is a chunk, which is a part of a long list or of a large value.
 */
export interface StateDocument {
  _id: string;
  /**
   * Indexed field by which documents are found without their keys. Its values come from
   * {@link checkpointGroup}, {@link writeGroup}, {@link blobGroup} and {@link chunkGroup}.
   */
  group: string;
  /** Encoding of `data`: a type tag of LangGraph's serializer, or one of our own. */
  type: string;
  data: Binary | Uint8Array;
  /**
   * For a long list: ids of the chunks that contain its elements. The chunks form a tree. `list[0]`
   * has the ids of leaves. A leaf contains elements of the list. `list[1]` has the ids of inner
   * nodes whose children are leaves, and so on. The highest level covers the start of the list. The
   * lower levels cover the elements after it, and `data` contains the last elements. For an inner
   * node: a single level, with the ids of its children.
   */
  list?: string[][];
  /**
   * For a value, a pending write, or a leaf of a list, if it is larger than 1 MB: ids of the chunks
   * that contain its data.
   */
  parts?: string[];
  /** For a checkpoint: id of the parent checkpoint. */
  parent?: string;
  /** For a checkpoint: the metadata that LangGraph passed, as JSON. */
  metadata?: string;
  /** For a checkpoint: the metadata of the run that created the checkpoint, as JSON. */
  labels?: string;
  /**
   * For a pending write: task id, task path, index and channel. `isPartial`: the task failed after
   * this write, so no graph continues from it.
   */
  write?: { taskId: string; path: string; index: number; channel: string; isPartial?: true };
}

const part = encodeURIComponent;

export function threadPrefix(tenant: string, threadId: string): string {
  return `${tenant}/${part(threadId)}/`;
}

/**
 * Returns the `group` of the checkpoints of a namespace. Without `ns`, returns the common prefix of
 * the groups of all namespaces.
 */
export function checkpointGroup(tenant: string, threadId: string, ns?: string): string {
  return `${threadPrefix(tenant, threadId)}c/${ns === undefined ? '' : `${part(ns)}/`}`;
}

export function checkpointKey(tenant: string, threadId: string, ns: string, id: string): string {
  return `${checkpointGroup(tenant, threadId, ns)}${id}`;
}

/** Returns the thread id, namespace and checkpoint id that a checkpoint's key contains. */
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
 * Returns the key of a chunk. The key contains the thread. Values reference a chunk by its id
 * alone, so that they need no change when their thread is copied.
 */
export function chunkKey(tenant: string, threadId: string, id: string): string {
  return `${chunkGroup(tenant, threadId)}${id}`;
}

/** Returns the ids of the chunks that a document references directly. */
export function chunkIdsOf({ list, parts }: Pick<StateDocument, 'list' | 'parts'>): string[] {
  return [...(list ?? []).flat(), ...(parts ?? [])];
}

/**
 * Returns the serialized data of a document. In a document that the driver has read, `data` is a
 * `Binary`. In a document that was just encoded, it is a `Uint8Array`.
 */
export function bytes({ data }: Pick<StateDocument, 'data'>): Uint8Array {
  return data instanceof Uint8Array ? data : data.buffer.subarray(0, data.position);
}

/** Returns the common prefix of the groups of all pending writes of a thread. */
export function writeGroups(tenant: string, threadId: string): string {
  return `${threadPrefix(tenant, threadId)}w/`;
}

/** Returns the `group` of the pending writes of a checkpoint. */
export function writeGroup(tenant: string, threadId: string, ns: string, checkpointId: string): string {
  return `${writeGroups(tenant, threadId)}${part(ns)}/${checkpointId}/`;
}

/**
 * Returns the key of a pending write. LangGraph's special writes have negative indices, so 1000 is
 * added to each index. The keys then sort by index.
 */
export function writeKey(group: string, taskId: string, index: number): string {
  return `${group}${taskId}/${String(index + 1000).padStart(6, '0')}`;
}

/**
 * Returns the key of a pending write of a task that failed after it. It differs from the key of the
 * same write of a later attempt, which must not be lost.
 */
export function partialWriteKey(group: string, taskId: string, index: number): string {
  return `${writeKey(group, taskId, index)}/partial`;
}

/**
 * Returns a filter for all groups that start with a prefix. The prefix must end with `/`. The upper
 * bound ends with `0`, which is the character after `/`.
 */
export function prefixRange(prefix: string): { $gte: string; $lt: string } {
  return { $gte: prefix, $lt: `${prefix.slice(0, -1)}0` };
}

/** Creates the index for lookups by group, highest key first. Idempotent. */
export async function ensureStateIndexes(db: Db): Promise<void> {
  await db.collection('checkpoints').createIndex({ group: 1, _id: -1 });
}
