import type { ChannelVersions } from '@langchain/langgraph-checkpoint';
import { ColloquyError } from '../../../protocol/index.js';
import type { LongList } from './long-list.js';
import { blobGroup, blobKey, type StateDocument } from '../state-documents.js';
import type { StateValues } from './state-values.js';
import type { ValueTexts } from './value-texts.js';

/** Type tag of a channel version that has no value. */
export const EMPTY = 'empty';

/**
 * Maximum number of lists whose chunks a saver remembers, so that the next versions of these lists
 * can share the chunks.
 */
const MAX_TRACKED_LISTS = 32;

/**
 * Values that are stored in more than one document: long lists and large values. Each value has one
 * main document. It references the chunks, which are documents with parts of the value. `key` is
 * the key of the main document.
 */
export type LargeValues = readonly (readonly [value: object, key: string])[];

/**
 * Encodes and decodes the values of channels. Each version of a channel has one main document. A
 * long list or a large value also has chunks. Remembers the chunks of lists, so that the next
 * versions of these lists can share the chunks. Remembers the document keys of large values.
 */
export class ChannelValues {
  readonly #lists = new Map<string, LongList>();
  readonly #keys = new WeakMap<object, string>();

  constructor(
    private readonly tenant: string,
    private readonly values: StateValues,
    private readonly read: (keys: string[]) => Promise<StateDocument[]>,
  ) {}

  /**
   * Encodes new versions of channels synchronously, because a graph may change the values right
   * after the call. With `isTracked`, remembers each list, so that its next version can reuse its
   * chunks.
   */
  encode(
    scope: { threadId: string; ns: string; isTracked: boolean },
    values: Readonly<Record<string, unknown>>,
    newVersions: ChannelVersions,
  ): { documents: StateDocument[]; largeValues: LargeValues } {
    const { threadId, ns, isTracked } = scope;
    const group = blobGroup(this.tenant, threadId);
    const largeValues: [object, string][] = [];
    const documents = Object.entries(newVersions).flatMap(([channel, version]): StateDocument[] => {
      const _id = blobKey(this.tenant, threadId, ns, channel, version);
      if (!(channel in values)) return [{ _id, group, type: EMPTY, data: new Uint8Array() }];
      const value = values[channel];
      const name = listName(threadId, ns, channel);
      const { fields, chunks, list } = this.values.encode(threadId, value, this.#lists.get(name));
      if (isTracked) this.#track(name, list);
      if (isLarge(value, fields)) largeValues.push([value, _id]);
      return [{ _id, group, ...fields }, ...chunks];
    });
    return { documents, largeValues };
  }

  /**
   * Returns the values by channel, in the order of `versions`, as LangGraph's in-process savers do.
   * With `isTracked`, remembers each list, so that its next version can reuse its chunks.
   */
  async decode(
    scope: { threadId: string; ns: string; isTracked: boolean },
    versions: ChannelVersions,
  ): Promise<Record<string, unknown>> {
    const { threadId, ns, isTracked } = scope;
    const channels = new Map(
      Object.entries(versions).map(
        ([channel, version]) => [blobKey(this.tenant, threadId, ns, channel, version), channel] as const,
      ),
    );
    const stored = new Map((await this.read([...channels.keys()])).map((blob) => [blob._id, blob]));
    const blobs = [...channels.keys()].flatMap((key) => stored.get(key) ?? []).filter(({ type }) => type !== EMPTY);
    const decoded = await this.values.decode(threadId, blobs, isTracked);
    const values: Record<string, unknown> = {};
    for (const [index, { value, list }] of decoded.entries()) {
      const key = blobs[index]?._id ?? '';
      const channel = channels.get(key) ?? '';
      values[channel] = value;
      if (isTracked) this.#track(listName(threadId, ns, channel), list);
      if (isLarge(value, blobs[index])) this.#keys.set(value, key);
    }
    return values;
  }

  /** Returns the JSON text of the channel value that is stored under a key. Errors: `not_found`. */
  async text(threadId: string, key: string, texts: ValueTexts): Promise<string> {
    const isOfThread = key.startsWith(blobGroup(this.tenant, threadId));
    const [document] = isOfThread ? await this.read([key]) : [];
    if (document !== undefined && document.type !== EMPTY) return this.values.text(threadId, document, texts);
    throw new ColloquyError('not_found', `thread ${threadId} has no value ${key}`);
  }

  /** Remembers the document keys of large values. Call this after the documents were committed. */
  rememberKeys(largeValues: LargeValues): void {
    for (const [value, key] of largeValues) this.#keys.set(value, key);
  }

  /**
   * Returns the key of the committed document that stores a value. Values are compared by object
   * identity.
   */
  keyOfValue(value: object): string | undefined {
    return this.#keys.get(value);
  }

  /** Forgets and returns all lists, so that no later version shares their chunks. */
  release(): LongList[] {
    const lists = [...this.#lists.values()];
    this.#lists.clear();
    return lists;
  }

  #track(name: string, list: LongList | undefined): void {
    this.#lists.delete(name);
    if (list !== undefined) this.#lists.set(name, list);
    const [oldest] = this.#lists.keys();
    if (this.#lists.size > MAX_TRACKED_LISTS && oldest !== undefined) this.#lists.delete(oldest);
  }
}

/** Whether a value is stored in more than one document. */
function isLarge(value: unknown, fields: Pick<StateDocument, 'list' | 'parts'> | undefined): value is object {
  const isSplit = fields?.list !== undefined || fields?.parts !== undefined;
  return isSplit && typeof value === 'object' && value !== null;
}

function listName(threadId: string, ns: string, channel: string): string {
  return JSON.stringify([threadId, ns, channel]);
}
