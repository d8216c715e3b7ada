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

/** Maximum number of documents that one query reads. */
const BATCH = 200;
/** Approximate size of the documents that one insert writes, in bytes. */
const BATCH_BYTES = 8 * 2 ** 20;

interface CopyOptions {
  tenant: string;
  from: string;
  to: string;
}

/**
 * Copies the state and the checkpoint history of a thread to a thread without state. The original
 * may change during the copy. Nevertheless the copy is consistent: it shows the original at one
 * point in time. First all documents are copied. Then the head of the original is read, which names
 * its newest checkpoints. The copied documents are still valid, because a checkpoint or value never
 * changes under its key. Finally, newer documents that the head needs are copied.
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
 * Returns the head of the copy for each checkpoint namespace. The run ordinal is 0, because no run
 * of the copy has written the checkpoint.
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
  /** Keys of the copied documents: the keys that the documents have in the original thread. */
  readonly #copied = new Set<string>();
  /**
   * For each copied checkpoint, by its key in the original thread: the id of its parent checkpoint.
   */
  readonly #parents = new Map<string, string | undefined>();

  constructor(documents: Collection<StateDocument>, options: CopyOptions) {
    this.#documents = documents;
    this.#options = options;
    this.#source = threadPrefix(options.tenant, options.from);
    this.#target = threadPrefix(options.tenant, options.to);
  }

  /**
   * Copies all checkpoints that exist now. Must be called before {@link copyValuesAndWrites}. When
   * a checkpoint is stored, its values are stored already. Therefore {@link copyValuesAndWrites}
   * finds the values of each checkpoint that this method has copied.
   */
  async copyCheckpoints(): Promise<void> {
    await this.#copyMissing(await this.#keys(this.#checkpointRange()));
  }

  async copyValuesAndWrites(): Promise<void> {
    const { tenant, from } = this.#options;
    await this.#copyMissing(await this.#keys({ group: blobGroup(tenant, from) }));
    await this.#copyMissing(await this.#keys({ group: prefixRange(writeGroups(tenant, from)) }));
    // List the chunks last: by now, all chunks of the values and pending writes that were listed
    // above exist.
    await this.#copyMissing(await this.#keys({ group: chunkGroup(tenant, from) }));
  }

  /**
   * Copies the checkpoints that the head of the original needs and the copy does not have yet.
   * Removes from the copy those checkpoints that were removed from the original since they were
   * copied, for example by the rollback of a run.
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
