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
import { guardPage, labels, withLabels } from './record-fields.js';

const CHANGE_ATTEMPTS = 20;

/** What a change makes of an assistant as it is. */
type Change = (current: AssistantDocument) => Promise<Omit<Assistant, 'createdAt' | 'updatedAt'>>;

/**
 * Versions of assistants; authorization is done. An assistant's record holds its current version whole. That version has a record of its
 * own at the latest when another takes its place, so a change that was cut off loses none.
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
      const isWanted = withLabels(current.tenant, [], required);
      const found = await this.#versions.findOne({ _id: versionKey(key, version), ...isWanted });
      if (found) return asVersion(found);
      throw new ColloquyError('not_found', `assistant ${current.assistantId} has no version ${version}`);
    });
  }

  async list(key: string, query: VersionQuery) {
    guardPage(query);
    const current = await this.#find(key);
    await this.#keep(current);
    const wanted = labels(current.tenant, query.metadata ?? {});
    const found = await this.#versions
      .find({ assistant: key, ...withLabels(current.tenant, wanted, query.required) })
      .sort({ version: -1 })
      .skip(query.offset)
      .limit(query.limit)
      .toArray();
    return found.map(asVersion);
  }

  /** The assistant goes first, so that nobody sees one without its versions. */
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

  /** By compare-and-set on the version that was read: of two changes at once the later one is made again, of what the first left. */
  async #change(key: string, change: Change): Promise<Assistant> {
    for (let attempt = 0; attempt < CHANGE_ATTEMPTS; attempt += 1) {
      const current = await this.#find(key, attempt > 0);
      await this.#keep(current);
      // Two changes within a millisecond must differ in it as well.
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
      `assistant ${id} changes all the time; ${CHANGE_ATTEMPTS} changes were overtaken`,
    );
  }

  /** Writes the record of the current version, where it is missing. */
  async #keep(current: AssistantDocument): Promise<void> {
    const { _id, ...fields } = currentVersion(current);
    await this.#versions.updateOne({ _id }, { $setOnInsert: fields }, { upsert: true });
  }

  /** `again`: it was there before; of one that was deleted meanwhile nothing may stay. */
  async #find(key: string, again = false): Promise<AssistantDocument> {
    const found = await this.#assistants.findOne({ _id: key });
    if (found !== null) return found;
    if (again) await this.#versions.deleteMany({ assistant: key });
    throw new ColloquyError('not_found', `assistant ${key.slice(key.indexOf('/') + 1)} does not exist`);
  }
}
