import type { Collection } from 'mongodb';
import { ColloquyError, type Assistant, NOTHING_REQUIRED, type RequiredMetadata } from '../../protocol/index.js';
import {
  asAssistant,
  asVersion,
  currentVersion,
  isSystemAssistant,
  versionFields,
  versionKey,
  type AssistantDocument,
  type VersionDocument,
} from './assistant-records.js';
import type { AssistantPatch, VersionQuery } from './ports.js';
import { guardPage, queryLabels, withLabels } from './record-fields.js';

const CHANGE_ATTEMPTS = 20;

/** Returns the fields that an assistant has after a change. */
type AssistantChange = (current: AssistantDocument) => Promise<Omit<Assistant, 'createdAt' | 'updatedAt'>>;

/**
 * Reads and changes the versions of assistants, without a check of authorization. The record of an
 * assistant contains all fields of the current version, and a change overwrites these fields. So a
 * change first copies them to a version record. If the change is then interrupted, no version is
 * lost.
 */
export class AssistantVersions {
  readonly #assistants: Collection<AssistantDocument>;
  readonly #versions: Collection<VersionDocument>;

  constructor(assistants: Collection<AssistantDocument>, versions: Collection<VersionDocument>) {
    this.#assistants = assistants;
    this.#versions = versions;
  }

  update(key: string, patch: AssistantPatch): Promise<Assistant> {
    return this.#change(key, async (current) => {
      const before = asAssistant(current);
      if (isSystemAssistant(current) && patch.graphId !== undefined && patch.graphId !== current.graphId) {
        throw new ColloquyError(
          'conflict',
          `assistant ${current.assistantId} stands for graph ${JSON.stringify(current.graphId)}; its graph_id cannot become ${JSON.stringify(patch.graphId)}`,
          { field: 'graph_id' },
        );
      }
      const [newest] = await this.#versions.find({ assistant: key }).sort({ version: -1 }).limit(1).toArray();
      const metadata = { ...before.metadata, ...patch.metadata };
      return { ...before, ...patch, metadata, version: (newest?.version ?? current.version) + 1 };
    });
  }

  setLatest(key: string, version: number, required: RequiredMetadata): Promise<Assistant> {
    return this.#change(key, async (current) => {
      const hasRequired = withLabels(current.tenant, [], required);
      const document = await this.#versions.findOne({ _id: versionKey(key, version), ...hasRequired });
      if (document) return asVersion(document);
      throw new ColloquyError('not_found', `assistant ${current.assistantId} has no version ${version}`);
    });
  }

  async list(key: string, query: VersionQuery) {
    guardPage(query);
    const current = await this.#find(key);
    await this.#writeCurrentVersion(current);
    const wanted = queryLabels(current.tenant, query.metadata ?? {});
    const documents = await this.#versions
      .find({ assistant: key, ...withLabels(current.tenant, wanted, query.required) })
      .sort({ version: -1 })
      .skip(query.offset)
      .limit(query.limit)
      .toArray();
    return documents.map(asVersion);
  }

  /**
   * Removes an assistant, or resets it to its first version if it is a system assistant. The
   * assistant's record is removed before its version records, so that no reader finds an assistant
   * without versions.
   */
  async remove(key: string): Promise<void> {
    const current = await this.#find(key);
    if (isSystemAssistant(current)) {
      await this.#reset(key);
      return;
    }
    await this.#assistants.deleteOne({ _id: key });
    await this.#versions.deleteMany({ assistant: key });
  }

  async #reset(key: string): Promise<void> {
    await this.setLatest(key, 1, NOTHING_REQUIRED);
    await this.#versions.deleteMany({ assistant: key, version: { $gt: 1 } });
  }

  /**
   * Changes an assistant by compare-and-set: the write succeeds only if the record still has the
   * version and `updatedAt` that were read. If a concurrent change came first, calls `change` again
   * with the new record.
   */
  async #change(key: string, change: AssistantChange): Promise<Assistant> {
    for (let attempt = 0; attempt < CHANGE_ATTEMPTS; attempt += 1) {
      const current = await this.#find(key, attempt > 0);
      await this.#writeCurrentVersion(current);
      // Each change gets a time of its own, even if two changes happen in one millisecond.
      // Otherwise the compare-and-set could miss a concurrent change.
      const updatedAt = new Date(Math.max(Date.now(), current.updatedAt.getTime() + 1));
      const next: AssistantDocument = { ...current, ...versionFields(await change(current)), updatedAt };
      const { _id, ...fields } = next;
      const unchanged = { _id, version: current.version, updatedAt: current.updatedAt };
      const { matchedCount } = await this.#assistants.updateOne(unchanged, { $set: fields });
      if (matchedCount > 0) return asAssistant(next);
    }
    const id = key.slice(key.indexOf('/') + 1);
    throw new ColloquyError(
      'conflict',
      `assistant ${id} was changed concurrently ${CHANGE_ATTEMPTS} times in a row; try again later`,
    );
  }

  /** Stores the version record of the current version if it is not stored yet. */
  async #writeCurrentVersion(current: AssistantDocument): Promise<void> {
    const { _id, ...fields } = currentVersion(current);
    await this.#versions.updateOne({ _id }, { $setOnInsert: fields }, { upsert: true });
  }

  /**
   * Returns the record of an assistant. `isRetry` is true if an earlier attempt of the same change
   * has stored a version record. If the assistant was deleted after that attempt, a call with
   * `isRetry` removes the version records of the assistant. Errors: `not_found`.
   */
  async #find(key: string, isRetry = false): Promise<AssistantDocument> {
    const found = await this.#assistants.findOne({ _id: key });
    if (found !== null) return found;
    if (isRetry) await this.#versions.deleteMany({ assistant: key });
    throw new ColloquyError('not_found', `assistant ${key.slice(key.indexOf('/') + 1)} does not exist`);
  }
}
