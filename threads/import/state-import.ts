import { createHash } from 'node:crypto';
import type { ChannelVersions, Checkpoint, CheckpointMetadata } from '@langchain/langgraph-checkpoint';
import type { Db, MongoClient } from 'mongodb';
import type { NamespaceHead } from '../../protocol/index.js';
import { MongoHeads } from '../state/mongo-heads.js';
import { CheckpointCodec } from '../state/saver/checkpoint-codec.js';
import { StateCollection } from '../state/state-collection.js';
import { unreadable, type OfficialCheckpoint, type OfficialKey, type OfficialSaver } from './official-saver.js';
import { blobKey, bytes, writeKey, type StateDocument } from '../state/state-documents.js';

/** Documents are stored when they have about so many bytes. */
const PAGE_BYTES = 4 * 2 ** 20;

/** What was taken over. */
export interface ImportedState {
  checkpoints: number;
  writes: number;
  /** When its first and its last checkpoint were made. */
  from: Date;
  to: Date;
}

/** The newest checkpoint of a namespace. */
interface Tip {
  id: string;
  step: number;
  /** The root's checkpoint that a subgraph worked for. */
  root: string | undefined;
}

/**
 * Gives a thread without state what the official saver has of one. Versions of channels, which are numbers there and may mean two values on two
 * branches, become names of their values, so that a value that stays the same is stored once.
 */
export class StateImport {
  readonly #tenant: string;
  readonly #state: StateCollection;
  readonly #codec: CheckpointCodec;
  readonly #stored = new Set<string>();
  /** Elements of the last version of each list of the namespace, by their JSON: what is the same object is stored once. */
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
    // No commit can come between two of ours: nobody sees the thread before its import is complete.
    this.#codec = new CheckpointCodec({ tenant, reads: this.#state, sharesChunks: true });
  }

  /** `onStored` is called from time to time. Errors: `invalid_argument` for a checkpoint that cannot be read. */
  async run(source: OfficialSaver, sourceId: string, onStored: () => Promise<void>): Promise<ImportedState> {
    const imported = { checkpoints: 0, writes: 0, from: new Date(8.64e15), to: new Date(0) };
    let namespace: string | undefined;
    for (const key of await source.keys(sourceId)) {
      if (key.ns !== namespace) this.#beginNamespace();
      namespace = key.ns;
      const found = await source.read(sourceId, key);
      this.#take(key, found);
      imported.checkpoints += 1;
      imported.writes += found.writes.length;
      const made = new Date(found.checkpoint.ts);
      if (made < imported.from) imported.from = made;
      if (made > imported.to) imported.to = made;
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
    this.#stored.clear();
    this.#codec.channels.release();
  }

  #take({ ns, id }: OfficialKey, { checkpoint, metadata, parent, writes }: OfficialCheckpoint): void {
    const { named, fresh } = this.#named(ns, checkpoint);
    const place = { thread_id: this.threadId, checkpoint_ns: ns };
    const config = { configurable: { ...place, ...(parent !== undefined && { checkpoint_id: parent }) } };
    this.#add(this.#codec.encodeCheckpoint(config, named, metadata, fresh).documents);
    for (const { taskId, index, channel, value } of writes) {
      const own = { configurable: { ...place, checkpoint_id: id } };
      const { documents, chunks } = this.#codec.encodeWrites(own, [[channel, value]], taskId, '');
      this.#add(chunks);
      this.#add(documents.map((document) => placed(document, taskId, index)));
    }
    const { step = 0, parents } = metadata as Partial<CheckpointMetadata>;
    this.#tips.set(ns, { id, step, root: parents?.[''] });
  }

  /** The checkpoint with our versions, and those whose values are not stored yet. */
  #named(ns: string, checkpoint: Checkpoint): { named: Checkpoint; fresh: ChannelVersions } {
    const versions: Record<string, string> = {};
    const fresh: Record<string, string> = {};
    const values: Record<string, unknown> = { ...checkpoint.channel_values };
    for (const [channel, version] of Object.entries(checkpoint.channel_versions)) {
      const number = ordinal(version, ns, checkpoint.id);
      const named = `${number}.${channel in values ? this.#digest(values[channel]) : EMPTY_DIGEST}`;
      versions[channel] = named;
      const key = blobKey(this.#tenant, this.threadId, ns, channel, named);
      if (this.#stored.has(key)) continue;
      this.#stored.add(key);
      fresh[channel] = named;
      values[channel] = this.#shared(channel, values[channel]);
      if (!(channel in checkpoint.channel_values)) delete values[channel];
    }
    const seen = Object.entries(checkpoint.versions_seen).map(([node, of]) => {
      const named = Object.entries(of).map(([channel, version]) => {
        const isNewest = version === checkpoint.channel_versions[channel];
        return [channel, (isNewest && versions[channel]) || `${ordinal(version, ns, checkpoint.id)}.${EMPTY_DIGEST}`];
      });
      return [node, Object.fromEntries(named) as Record<string, string>];
    });
    const versionsSeen = Object.fromEntries(seen) as Checkpoint['versions_seen'];
    return {
      named: { ...checkpoint, channel_values: values, channel_versions: versions, versions_seen: versionsSeen },
      fresh,
    };
  }

  /** The list with the elements that its last version had as well. */
  #shared(channel: string, value: unknown): unknown {
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

  /** Subgraphs that wait belong to the root's newest checkpoint; the others are history. One with a memory of its own always goes on. */
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

/** Stands for a channel that has no value, and for values that nobody compares any more. */
const EMPTY_DIGEST = '0'.repeat(12);

/** Our versions begin with their number, so that LangGraph's comparison as text is right. */
function ordinal(version: unknown, ns: string, id: string): string {
  const number = typeof version === 'string' ? /^\d+(?=\.|$)/.exec(version)?.[0] : version;
  if (Number.isSafeInteger(Number(number)) && number !== undefined) return String(Number(number)).padStart(12, '0');
  throw unreadable(ns, id, `a channel has version ${JSON.stringify(version)}, which has no number`);
}

/** A write keeps its index among those of its task. */
function placed(document: StateDocument, taskId: string, index: number): StateDocument {
  if (document.write === undefined) return document;
  return { ...document, _id: writeKey(document.group, taskId, index), write: { ...document.write, index } };
}
