import type { Collection, Db, Filter, MongoClient } from 'mongodb';
import { inTransaction } from '../../database/index.js';
import type { Head, NamespaceHead } from '../../protocol/index.js';
import { MongoHeads } from './mongo-heads.js';
import {
  blobGroup,
  checkpointGroup,
  checkpointKey,
  chunkGroup,
  prefixRange,
  threadPrefix,
  writeGroups,
  type StateDocument,
} from './state-documents.js';

/** Documents read and written at once. */
const BATCH = 200;
const BATCH_BYTES = 8 * 2 ** 20;

export interface CopyPlace {
  tenant: string;
  from: string;
  to: string;
}

/**
 * Gives a thread without state the state and history of another, as they are at one moment: that of the head which is read here. The other
 * may go on meanwhile; checkpoints and values never change under their keys, so what was read before the head is a part of what the head
 * stands on, and only what came in between is fetched after it.
 */
export async function copyState({ client, db }: { client: MongoClient; db: Db }, place: CopyPlace): Promise<void> {
  const heads = new MongoHeads(db);
  const before = await heads.readHead(place.tenant, place.from);
  const copy = new StateCopy(db.collection('checkpoints'), place);
  await copy.checkpoints();
  await copy.valuesAndWrites();
  const head = await heads.readHead(place.tenant, place.from);
  if (head.rev !== before.rev) {
    await copy.catchUp(head);
    await copy.valuesAndWrites();
  }
  if (Object.keys(head.heads).length === 0) return;
  await inTransaction(client, (session) =>
    heads.change(session, place.tenant, place.to, { heads: fresh(head), rev: 0 }),
  );
}

/** Heads that no run of the copy has made: its runs count from 1, and so do its fences. */
function fresh({ heads }: Head): Record<string, NamespaceHead> {
  const entries = Object.entries(heads).map(([ns, { checkpointId, step }]) => [
    ns,
    { checkpointId, run: 0, step, base: step, tail: 0 },
  ]);
  return Object.fromEntries(entries) as Record<string, NamespaceHead>;
}

class StateCopy {
  readonly #documents: Collection<StateDocument>;
  readonly #place: CopyPlace;
  readonly #source: string;
  readonly #target: string;
  /** Keys of what was copied, in the source. */
  readonly #copied = new Set<string>();
  readonly #parents = new Map<string, string | undefined>();

  constructor(documents: Collection<StateDocument>, place: CopyPlace) {
    this.#documents = documents;
    this.#place = place;
    this.#source = threadPrefix(place.tenant, place.from);
    this.#target = threadPrefix(place.tenant, place.to);
  }

  /** Before the values: a checkpoint is stored with its values, so those of every checkpoint seen here are there afterwards. */
  async checkpoints(): Promise<void> {
    await this.#copyMissing(await this.#keys(this.#checkpointRange()));
  }

  async valuesAndWrites(): Promise<void> {
    const { tenant, from } = this.#place;
    await this.#copyMissing(await this.#keys({ group: blobGroup(tenant, from) }));
    await this.#copyMissing(await this.#keys({ group: prefixRange(writeGroups(tenant, from)) }));
    // Last: a value or write is stored with its chunks, so those of everything seen are there.
    await this.#copyMissing(await this.#keys({ group: chunkGroup(tenant, from) }));
  }

  /** Copies what a head stands on and is not there yet, and takes away what was rolled back meanwhile. */
  async catchUp({ heads }: Head): Promise<void> {
    const there = new Set(await this.#keys(this.#checkpointRange()));
    const gone = [...this.#parents.keys()].filter((key) => !there.has(key));
    await this.#documents.deleteMany({ _id: { $in: gone.map((key) => this.#renamed(key)) } });
    for (const [ns, { checkpointId }] of Object.entries(heads)) await this.#copyChain(ns, checkpointId);
  }

  async #copyChain(ns: string, newest: string): Promise<void> {
    const { tenant, from } = this.#place;
    for (let id: string | undefined = newest; id !== undefined; ) {
      const key = checkpointKey(tenant, from, ns, id);
      await this.#copyMissing([key]);
      id = this.#parents.get(key);
    }
  }

  #checkpointRange(): Filter<StateDocument> {
    return { group: prefixRange(checkpointGroup(this.#place.tenant, this.#place.from)) };
  }

  async #keys(filter: Filter<StateDocument>): Promise<string[]> {
    const found = await this.#documents.find(filter, { projection: { _id: 1 } }).toArray();
    return found.map(({ _id }) => _id);
  }

  async #copyMissing(keys: string[]): Promise<void> {
    const missing = keys.filter((key) => !this.#copied.has(key));
    for (let next = 0; next < missing.length; next += BATCH) {
      let page: StateDocument[] = [];
      let bytes = 0;
      for await (const document of this.#documents.find({ _id: { $in: missing.slice(next, next + BATCH) } })) {
        page.push(document);
        bytes += sizeOf(document);
        if (bytes < BATCH_BYTES) continue;
        await this.#insert(page);
        [page, bytes] = [[], 0];
      }
      if (page.length > 0) await this.#insert(page);
    }
  }

  async #insert(page: StateDocument[]): Promise<void> {
    await this.#documents.insertMany(page.map((document) => this.#moved(document)));
    for (const { _id, parent, metadata } of page) {
      this.#copied.add(_id);
      if (metadata !== undefined) this.#parents.set(_id, parent);
    }
  }

  #moved(document: StateDocument): StateDocument {
    return { ...document, _id: this.#renamed(document._id), group: this.#renamed(document.group) };
  }

  #renamed(key: string): string {
    return this.#target + key.slice(this.#source.length);
  }
}

function sizeOf({ data }: StateDocument): number {
  return data instanceof Uint8Array ? data.length : data.position;
}
