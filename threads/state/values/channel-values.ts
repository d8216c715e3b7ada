import type { ChannelVersions } from '@langchain/langgraph-checkpoint';
import { ColloquyError } from '../../../protocol/index.js';
import type { LongList } from './long-list.js';
import { blobGroup, blobKey, type StateDocument } from '../state-documents.js';
import type { StateValues } from './state-values.js';
import type { ValueTexts } from './value-texts.js';

/** Serialized channel without a value at that version. */
export const EMPTY = 'empty';

/** Lists of channels that the next version may share chunks with, of one saver. */
const LISTS_KEPT = 32;

/** Long lists and large values that documents hold, with the keys of these. */
export type Held = readonly (readonly [value: object, key: string])[];

/** The values of a checkpoint's channels, a document for each version of each. Remembers lists for what comes next, and who holds what. */
export class ChannelValues {
  readonly #lists = new Map<string, LongList>();
  readonly #held = new WeakMap<object, string>();

  constructor(
    private readonly tenant: string,
    private readonly values: StateValues,
    private readonly read: (keys: string[]) => Promise<StateDocument[]>,
  ) {}

  /** Encoded when it returns: a graph may change its values right after. `isTracked`: chunks of the last version are named again. */
  encode(
    place: { threadId: string; ns: string; isTracked: boolean },
    values: Readonly<Record<string, unknown>>,
    newVersions: ChannelVersions,
  ): { documents: StateDocument[]; held: Held } {
    const { threadId, ns, isTracked } = place;
    const group = blobGroup(this.tenant, threadId);
    const held: [object, string][] = [];
    const documents = Object.entries(newVersions).flatMap(([channel, version]): StateDocument[] => {
      const _id = blobKey(this.tenant, threadId, ns, channel, version);
      if (!(channel in values)) return [{ _id, group, type: EMPTY, data: new Uint8Array() }];
      const value = values[channel];
      const name = listName(threadId, ns, channel);
      const { fields, chunks, list } = this.values.encode(threadId, value, this.#lists.get(name));
      if (isTracked) this.#track(name, list);
      if (isLarge(value, fields)) held.push([value, _id]);
      return [{ _id, group, ...fields }, ...chunks];
    });
    return { documents, held };
  }

  /** In the order of the versions, as in-process. `isTracked`: the next version may name the chunks of these. */
  async decode(
    place: { threadId: string; ns: string; isTracked: boolean },
    versions: ChannelVersions,
  ): Promise<Record<string, unknown>> {
    const { threadId, ns, isTracked } = place;
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
      if (isLarge(value, blobs[index])) this.#held.set(value, key);
    }
    return values;
  }

  /** The value of one document, written down. Errors: `not_found`. */
  async text(threadId: string, key: string, texts: ValueTexts): Promise<string> {
    const isOfThread = key.startsWith(blobGroup(this.tenant, threadId));
    const [document] = isOfThread ? await this.read([key]) : [];
    if (document !== undefined && document.type !== EMPTY) return this.values.text(threadId, document, texts);
    throw new ColloquyError('not_found', `thread ${threadId} has no value ${key}`);
  }

  /** Documents have been committed. */
  committed(held: Held): void {
    for (const [value, key] of held) this.#held.set(value, key);
  }

  heldBy(value: object): string | undefined {
    return this.#held.get(value);
  }

  /** Nothing is built on the lists seen so far; answers them. */
  release(): LongList[] {
    const lists = [...this.#lists.values()];
    this.#lists.clear();
    return lists;
  }

  #track(name: string, list: LongList | undefined): void {
    this.#lists.delete(name);
    if (list !== undefined) this.#lists.set(name, list);
    const [oldest] = this.#lists.keys();
    if (this.#lists.size > LISTS_KEPT && oldest !== undefined) this.#lists.delete(oldest);
  }
}

/** Is in more than one document. */
function isLarge(value: unknown, fields: Pick<StateDocument, 'list' | 'parts'> | undefined): value is object {
  const isSplit = fields?.list !== undefined || fields?.parts !== undefined;
  return isSplit && typeof value === 'object' && value !== null;
}

function listName(threadId: string, ns: string, channel: string): string {
  return JSON.stringify([threadId, ns, channel]);
}
