import { asPlatformError } from '../../../database/index.js';
import type { StateReads } from '../state-collection.js';
import type { StateDocument } from '../state-documents.js';
import type { StateCache } from './state-cache.js';

interface StepReadsOptions {
  stored: StateReads;
  cache: StateCache;
  threadId: string;
  /** Revision that the head had when the step began. */
  rev: number;
}

/**
 * Reads state documents for one step. Documents that this worker has read or written before come
 * from its cache.
 */
export class StepReads implements StateReads {
  readonly #stored: StateReads;
  readonly #cache: StateCache;
  readonly #threadId: string;
  readonly #rev: number;
  /**
   * All pending writes of the checkpoints that this step has created or read. The key is the
   * `group` of the pending writes, which is the same for all pending writes of a checkpoint.
   */
  readonly #writes = new Map<string, StateDocument[]>();

  constructor({ stored, cache, threadId, rev }: StepReadsOptions) {
    this.#stored = stored;
    this.#cache = cache;
    this.#threadId = threadId;
    this.#rev = rev;
  }

  async readDocument(key: string): Promise<StateDocument | undefined> {
    const [cached] = this.#cache.get(key) ?? [];
    if (cached !== undefined) return cached;
    const document = await this.#translated(this.#stored.readDocument(key));
    if (document !== undefined) this.#cache.set(key, [document]);
    return document;
  }

  async readDocuments(keys: string[]): Promise<StateDocument[]> {
    const cached = keys.flatMap((key) => this.#cache.get(key) ?? []);
    const known = new Set(cached.map((document) => document._id));
    const read = await this.#translated(this.#stored.readDocuments(keys.filter((key) => !known.has(key))));
    for (const document of read) this.#cache.set(document._id, [document]);
    return [...cached, ...read];
  }

  async readGroup(group: string): Promise<StateDocument[]> {
    const known = this.#writes.get(group) ?? this.#cache.get(cacheKey(group, this.#rev));
    const writes = known ?? (await this.#translated(this.#stored.readGroup(group)));
    this.#writes.set(group, writes);
    return writes;
  }

  async readGroups(groups: string[]): Promise<StateDocument[]> {
    const unknown = groups.filter((group) => !this.#writes.has(group));
    const read = unknown.length === 0 ? [] : await this.#translated(this.#stored.readGroups(unknown));
    return [...groups.flatMap((group) => this.#writes.get(group) ?? []), ...read];
  }

  /**
   * Works like {@link StateReads.readFrom}, with one difference: if the checkpoint with this key is
   * in the cache, returns only this checkpoint. A cached checkpoint may not be committed yet, and a
   * query would then miss it.
   */
  async readFrom(key: string, count: number): Promise<StateDocument[]> {
    const cached = this.#cache.get(key);
    if (cached !== undefined) return cached;
    const read = await this.#translated(this.#stored.readFrom(key, count));
    for (const document of read) this.#cache.set(document._id, [document]);
    return read;
  }

  highestCheckpoint(threadId: string, ns: string): Promise<string | undefined> {
    return this.#translated(this.#stored.highestCheckpoint(threadId, ns));
  }

  /**
   * Remembers that a new checkpoint has no pending writes. The database is then not queried for
   * pending writes of this checkpoint.
   */
  beginWrites(group: string): void {
    this.#writes.set(group, []);
  }

  addWrites(group: string, documents: StateDocument[]): void {
    this.#writes.set(group, lastOfEachKey([...(this.#writes.get(group) ?? []), ...documents]));
  }

  /**
   * Caches the pending writes of a checkpoint for the next step. That step uses them only if the
   * head of the thread still has the revision `rev` when the step begins.
   */
  rememberWrites(group: string, rev: number): void {
    const writes = this.#writes.get(group);
    if (writes !== undefined) this.#cache.set(cacheKey(group, rev), writes);
  }

  #translated<T>(read: Promise<T>): Promise<T> {
    return read.catch((error: unknown) => {
      throw asPlatformError(error, `state of thread ${this.#threadId} cannot be read`);
    });
  }
}

/**
 * Returns only the last document of each key. A task may write a key twice: first the answer to its
 * interrupt, then its result.
 */
export function lastOfEachKey(documents: StateDocument[]): StateDocument[] {
  return [...new Map(documents.map((document) => [document._id, document])).values()];
}

/**
 * Returns the cache key for the pending writes of a checkpoint. A checkpoint may get more pending
 * writes later. Each commit of pending writes raises the revision of the head, so the key contains
 * this revision.
 */
function cacheKey(group: string, rev: number): string {
  return `${group}@${rev}`;
}
