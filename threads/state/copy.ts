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

/** Documents per query. */
const BATCH = 200;
/** Approximate bytes per insert. */
const BATCH_BYTES = 8 * 2 ** 20;

interface CopyOptions {
  tenant: string;
  from: string;
  to: string;
}

/**
 * Copies state and history of a thread to a thread without state. The copy is consistent: it shows
 * the original at one revision of the head. The original may change during the copy. Checkpoints
 * and values never change under their keys, so documents that were copied before the head was read
 * stay valid. Newer documents that the head needs are copied afterwards.
 */
export async function copyState({ client, db }: { client: MongoClient; db: Db }, options: CopyOptions): Promise<void> {
  const heads = new MongoHeads(db);
  const { tenant, from, to } = options;
  const before = await heads.readHead(tenant, from);
  const copy = new StateCopy(db.collection('checkpoints'), options);
  await copy.copyCheckpoints();
  await copy.copyValuesAndWrites();
  const head = await heads.readHead(tenant, from);
  if (head.rev !== before.rev) {
    await copy.catchUp(head);
    await copy.copyValuesAndWrites();
  }
  if (Object.keys(head.heads).length === 0) return;
  await inTransaction(client, (session) => heads.change(session, tenant, to, { heads: headsOfCopy(head), rev: 0 }));
}

/**
 * Returns the heads of the copy. Their run number is 0: no run of the copy wrote them, and the copy
 * counts its runs from 1.
 */
function headsOfCopy({ heads }: Head): Record<string, NamespaceHead> {
  const entries = Object.entries(heads).map(([ns, { checkpointId, step }]) => [
    ns,
    { checkpointId, run: 0, step, base: step, tail: 0 },
  ]);
  return Object.fromEntries(entries) as Record<string, NamespaceHead>;
}

class StateCopy {
  readonly #documents: Collection<StateDocument>;
  readonly #options: CopyOptions;
  readonly #source: string;
  readonly #target: string;
  /** Source keys of the documents that were copied. */
  readonly #copied = new Set<string>();
  /** Id of the parent checkpoint, by the source key of a copied checkpoint. */
  readonly #parents = new Map<string, string | undefined>();

  constructor(documents: Collection<StateDocument>, options: CopyOptions) {
    this.#documents = documents;
    this.#options = options;
    this.#source = threadPrefix(options.tenant, options.from);
    this.#target = threadPrefix(options.tenant, options.to);
  }

  /**
   * Call this before the values are listed: the values of each checkpoint listed here exist by
   * then.
   */
  async copyCheckpoints(): Promise<void> {
    await this.#copyMissing(await this.#keys(this.#checkpointRange()));
  }

  async copyValuesAndWrites(): Promise<void> {
    const { tenant, from } = this.#options;
    await this.#copyMissing(await this.#keys({ group: blobGroup(tenant, from) }));
    await this.#copyMissing(await this.#keys({ group: prefixRange(writeGroups(tenant, from)) }));
    // List chunks last: the chunks of each value and write listed above exist by now.
    await this.#copyMissing(await this.#keys({ group: chunkGroup(tenant, from) }));
  }

  /**
   * Copies the checkpoints that a head needs and the copy does not have. Removes from the copy the
   * checkpoints that were rolled back in the original since they were copied.
   */
  async catchUp({ heads }: Head): Promise<void> {
    const existing = new Set(await this.#keys(this.#checkpointRange()));
    const gone = [...this.#parents.keys()].filter((key) => !existing.has(key));
    await this.#documents.deleteMany({ _id: { $in: gone.map((key) => this.#targetKey(key)) } });
    for (const [ns, { checkpointId }] of Object.entries(heads)) await this.#copyChain(ns, checkpointId);
  }

  async #copyChain(ns: string, newest: string): Promise<void> {
    const { tenant, from } = this.#options;
    for (let id: string | undefined = newest; id !== undefined; ) {
      const key = checkpointKey(tenant, from, ns, id);
      await this.#copyMissing([key]);
      id = this.#parents.get(key);
    }
  }

  #checkpointRange(): Filter<StateDocument> {
    return { group: prefixRange(checkpointGroup(this.#options.tenant, this.#options.from)) };
  }

  async #keys(filter: Filter<StateDocument>): Promise<string[]> {
    const documents = await this.#documents.find(filter, { projection: { _id: 1 } }).toArray();
    return documents.map(({ _id }) => _id);
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
    await this.#documents.insertMany(page.map((document) => this.#toTarget(document)));
    for (const { _id, parent, metadata } of page) {
      this.#copied.add(_id);
      if (metadata !== undefined) this.#parents.set(_id, parent);
    }
  }

  #toTarget(document: StateDocument): StateDocument {
    return { ...document, _id: this.#targetKey(document._id), group: this.#targetKey(document.group) };
  }

  #targetKey(key: string): string {
    return this.#target + key.slice(this.#source.length);
  }
}

function sizeOf({ data }: StateDocument): number {
  return data instanceof Uint8Array ? data.length : data.position;
}
