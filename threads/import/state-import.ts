import { createHash } from 'node:crypto';
import type { ChannelVersions, Checkpoint, CheckpointMetadata } from '@langchain/langgraph-checkpoint';
import type { Db, MongoClient } from 'mongodb';
import type { NamespaceHead } from '../../protocol/index.js';
import { MongoHeads } from '../state/mongo-heads.js';
import { CheckpointCodec } from '../state/saver/checkpoint-codec.js';
import { StateCollection } from '../state/state-collection.js';
import {
  unreadableCheckpoint,
  type OfficialCheckpoint,
  type OfficialKey,
  type OfficialSaver,
} from './official-saver.js';
import { blobKey, bytes, writeKey, type StateDocument } from '../state/state-documents.js';

/** Approximate size of a page, in bytes. A page is the documents that are inserted together. */
const PAGE_BYTES = 4 * 2 ** 20;

/**
 * How many checkpoints and pending writes of a thread were imported, and the period in which the
 * checkpoints were created.
 */
export interface ImportedState {
  checkpoints: number;
  writes: number;
  /** Creation times of the oldest checkpoint (`from`) and of the newest checkpoint (`to`). */
  from: Date;
  to: Date;
}

/** The newest checkpoint of a checkpoint namespace. */
interface Tip {
  id: string;
  step: number;
  /** For a subgraph: id of the root checkpoint at which the subgraph ran. */
  root: string | undefined;
}

/**
 * Imports the state of one thread from LangGraph's own saver into a thread without state. In the
 * source, the version of a channel is a number, or a string that begins with a number. Two branches
 * of a thread may use the same number for different values. So the import makes a new version from
 * the number and a digest of the value. If several checkpoints contain the same new version of a
 * channel, the value is stored only once.
 */
export class StateImport {
  readonly #tenant: string;
  readonly #state: StateCollection;
  readonly #codec: CheckpointCodec;
  /**
   * Document keys of the channel values that were imported already, in the namespace that is being
   * imported.
   */
  readonly #storedKeys = new Set<string>();
  /**
   * For each channel whose value is a list: the elements of the last imported version, by their
   * encoded text. If an element of the next version has the same text, the object from this map
   * takes its place. So both versions share the chunks in which these elements are stored.
   */
  readonly #elements = new Map<string, Map<string, unknown>>();
  readonly #tips = new Map<string, Tip>();
  #page: StateDocument[] = [];
  #bytes = 0;

  constructor(
    { client, db, tenant }: { client: MongoClient; db: Db; tenant: string },
    private readonly threadId: string,
  ) {
    this.#tenant = tenant;
    this.#state = new StateCollection({ client, db }, tenant, new MongoHeads(db));
    // Versions of a list may share chunks. This is safe because the thread is invisible during the
    // import, so that nobody else can remove a chunk.
    this.#codec = new CheckpointCodec({ tenant, reads: this.#state, sharesChunks: true });
  }

  /**
   * Imports all checkpoints and pending writes, page by page. Then stores the heads (see
   * `#heads`). `onStored` is called and awaited after each page except the last. Errors:
   * `invalid_argument` for a checkpoint that cannot be read.
   */
  async run(source: OfficialSaver, sourceId: string, onStored: () => Promise<void>): Promise<ImportedState> {
    const imported = { checkpoints: 0, writes: 0, from: new Date(8.64e15), to: new Date(0) };
    let namespace: string | undefined;
    for (const key of await source.keys(sourceId)) {
      if (key.ns !== namespace) this.#beginNamespace();
      namespace = key.ns;
      const official = await source.read(sourceId, key);
      this.#importCheckpoint(key, official);
      imported.checkpoints += 1;
      imported.writes += official.writes.length;
      const createdAt = new Date(official.checkpoint.ts);
      if (createdAt < imported.from) imported.from = createdAt;
      if (createdAt > imported.to) imported.to = createdAt;
      if (this.#bytes > PAGE_BYTES) {
        await this.#storePage();
        await onStored();
      }
    }
    await this.#storePage();
    const heads = this.#heads();
    await this.#state.moveHead(this.threadId, { heads });
    return imported;
  }

  #beginNamespace(): void {
    this.#elements.clear();
    this.#storedKeys.clear();
    this.#codec.channels.release();
  }

  #importCheckpoint({ ns, id }: OfficialKey, { checkpoint, metadata, parent, writes }: OfficialCheckpoint): void {
    const { renamed, newVersions } = this.#renameVersions(ns, checkpoint);
    const namespace = { thread_id: this.threadId, checkpoint_ns: ns };
    const config = { configurable: { ...namespace, ...(parent !== undefined && { checkpoint_id: parent }) } };
    this.#add(this.#codec.encodeCheckpoint(config, renamed, metadata, newVersions).documents);
    for (const { taskId, index, channel, value } of writes) {
      const own = { configurable: { ...namespace, checkpoint_id: id } };
      const { documents, chunks } = this.#codec.encodeWrites(own, [[channel, value]], taskId, '');
      this.#add(chunks);
      this.#add(documents.map((document) => withIndex(document, taskId, index)));
    }
    const { step = 0, parents } = metadata as Partial<CheckpointMetadata>;
    this.#tips.set(ns, { id, step, root: parents?.[''] });
  }

  /**
   * Returns the checkpoint with channel versions in Colloquy's form (number and digest).
   * `newVersions` has the versions of those channels whose values were not imported yet.
   */
  #renameVersions(ns: string, checkpoint: Checkpoint): { renamed: Checkpoint; newVersions: ChannelVersions } {
    const versions: Record<string, string> = {};
    const newVersions: Record<string, string> = {};
    const values: Record<string, unknown> = { ...checkpoint.channel_values };
    for (const [channel, version] of Object.entries(checkpoint.channel_versions)) {
      const number = paddedNumber(version, ns, checkpoint.id);
      const renamed = `${number}.${channel in values ? this.#digest(values[channel]) : EMPTY_DIGEST}`;
      versions[channel] = renamed;
      const key = blobKey(this.#tenant, this.threadId, ns, channel, renamed);
      if (this.#storedKeys.has(key)) continue;
      this.#storedKeys.add(key);
      newVersions[channel] = renamed;
      values[channel] = this.#withSharedElements(channel, values[channel]);
      if (!(channel in checkpoint.channel_values)) delete values[channel];
    }
    const seen = Object.entries(checkpoint.versions_seen).map(([node, of]) => {
      const renamed = Object.entries(of).map(([channel, version]) => {
        const isNewest = version === checkpoint.channel_versions[channel];
        return [
          channel,
          (isNewest && versions[channel]) || `${paddedNumber(version, ns, checkpoint.id)}.${EMPTY_DIGEST}`,
        ];
      });
      return [node, Object.fromEntries(renamed) as Record<string, string>];
    });
    const versionsSeen = Object.fromEntries(seen) as Checkpoint['versions_seen'];
    return {
      renamed: { ...checkpoint, channel_values: values, channel_versions: versions, versions_seen: versionsSeen },
      newVersions,
    };
  }

  /**
   * Returns the list, with some elements replaced: if the channel's previous version has an element
   * with the same encoded text, the object from the previous version takes its place. So both
   * versions share the chunks in which these elements are stored. Returns a value that is not a
   * list unchanged.
   */
  #withSharedElements(channel: string, value: unknown): unknown {
    if (!Array.isArray(value)) return value;
    const before = this.#elements.get(channel);
    const now = new Map<string, unknown>();
    const list = value.map((element: unknown) => {
      const encoded = this.#codec.serializer.element(element);
      if (encoded === undefined) return element;
      const text = Buffer.from(encoded).toString('base64');
      const same = before?.get(text) ?? element;
      now.set(text, same);
      return same;
    });
    this.#elements.set(channel, now);
    return list;
  }

  #digest(value: unknown): string {
    const { type, data } = this.#codec.serializer.dumps(value);
    return createHash('sha256').update(`${type}:`).update(data).digest('hex').slice(0, EMPTY_DIGEST.length);
  }

  /**
   * Returns the heads of the imported thread: the newest checkpoints of its namespaces. Three kinds
   * of checkpoint namespaces get a head: the root, subgraphs whose newest checkpoint was made while
   * the root was at its newest checkpoint, and subgraphs with a memory of their own (their
   * namespace has no task id).
   */
  #heads(): Record<string, NamespaceHead> {
    const root = this.#tips.get('')?.id;
    const open = [...this.#tips].filter(([ns, tip]) => ns === '' || !ns.includes(':') || tip.root === root);
    const heads = open.map(([ns, { id, step }]) => [ns, { checkpointId: id, run: 0, step, base: step, tail: 0 }]);
    return Object.fromEntries(heads) as Record<string, NamespaceHead>;
  }

  #add(documents: StateDocument[]): void {
    this.#page.push(...documents);
    this.#bytes = documents.reduce((sum, document) => sum + bytes(document).length, this.#bytes);
  }

  async #storePage(): Promise<void> {
    await this.#state.insert(this.#page);
    [this.#page, this.#bytes] = [[], 0];
  }
}

/**
 * Replaces the digest in a channel version that has no value. It is also used for older versions in
 * `versions_seen`, because the checkpoint does not contain the values of these versions.
 */
const EMPTY_DIGEST = '0'.repeat(12);

/**
 * Returns the number of a channel version, padded with zeros, because LangGraph compares versions
 * as strings. Errors: `invalid_argument` for a version without a number.
 */
function paddedNumber(version: unknown, ns: string, id: string): string {
  const number = typeof version === 'string' ? /^\d+(?=\.|$)/.exec(version)?.[0] : version;
  if (Number.isSafeInteger(Number(number)) && number !== undefined) return String(Number(number)).padStart(12, '0');
  throw unreadableCheckpoint(ns, id, `a channel has version ${JSON.stringify(version)}, which has no number`);
}

/**
 * Returns the document of a pending write with the index that this write has in the source. Returns
 * any other document unchanged.
 */
function withIndex(document: StateDocument, taskId: string, index: number): StateDocument {
  if (document.write === undefined) return document;
  return { ...document, _id: writeKey(document.group, taskId, index), write: { ...document.write, index } };
}
