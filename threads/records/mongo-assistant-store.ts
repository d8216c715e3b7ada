import type { Db, Filter } from 'mongodb';
import { ColloquyError, type Caller } from '../../protocol/index.js';
import {
  asAssistant,
  assistantKey,
  firstVersion,
  systemAssistant,
  systemAssistantId,
  type AssistantDocument,
  type VersionDocument,
} from './assistant-records.js';
import { AssistantVersions } from './assistant-versions.js';
import { isDuplicateKey, openCollection, withDatabaseErrors } from '../../database/index.js';
import type { AssistantQuery, AssistantStore } from './ports.js';
import { guardPage, guardUuid, isUuid, queryLabels, withLabels } from './record-fields.js';

const SORT_FIELDS = {
  assistant_id: 'assistantId',
  graph_id: 'graphId',
  name: 'name',
  created_at: 'createdAt',
  updated_at: 'updatedAt',
} as const;

interface AssistantStoreOptions {
  db: Db;
}

/** Creates an assistant store on MongoDB. */
export function createAssistantStore({ db }: AssistantStoreOptions): AssistantStore {
  const assistants = openCollection<AssistantDocument>(db, 'assistants');
  const versions = new AssistantVersions(assistants, openCollection<VersionDocument>(db, 'assistant_versions'));

  /**
   * Throws `invalid_argument` if no worker has registered the graph, because a run of that graph
   * would wait forever.
   */
  async function guardGraph({ tenant }: Caller, graphId: string): Promise<void> {
    const key = assistantKey(tenant, systemAssistantId(graphId));
    if ((await assistants.findOne({ _id: key }, { projection: { _id: 1 } })) !== null) return;
    throw new ColloquyError('invalid_argument', `graph_id is ${JSON.stringify(graphId)}; no such graph is served`, {
      field: 'graph_id',
    });
  }

  return withDatabaseErrors<AssistantStore>({
    async registerGraphs(caller, graphs) {
      if (graphs.length === 0) return;
      const inserts = graphs.map((graph) => {
        const { _id, ...fields } = systemAssistant(caller.tenant, graph);
        return { updateOne: { filter: { _id }, update: { $setOnInsert: fields }, upsert: true } };
      });
      await assistants.bulkWrite(inserts, { ordered: false }).catch((error: unknown) => {
        // A duplicate key is no failure: another process has registered the same graph at the same
        // time.
        if (!isDuplicateKey(error)) throw error;
      });
    },

    async createAssistant(caller, { ifExists = 'raise', ...assistant }) {
      const assistantId = guardUuid('assistant_id', assistant.assistantId);
      await guardGraph(caller, assistant.graphId);
      const document = firstVersion(caller.tenant, assistant);
      try {
        await assistants.insertOne(document);
        return asAssistant(document);
      } catch (error) {
        if (!isDuplicateKey(error)) throw error;
      }
      if (ifExists === 'raise') throw new ColloquyError('already_exists', `assistant ${assistantId} exists already`);
      const found = await assistants.findOne({ _id: document._id });
      if (found !== null) return asAssistant(found);
      throw new ColloquyError('conflict', `assistant ${assistantId} was deleted concurrently; create it again`);
    },

    async updateAssistant(caller, idOrGraph, patch) {
      if (patch.graphId !== undefined) await guardGraph(caller, patch.graphId);
      return versions.update(assistantKeyOf(caller, idOrGraph), patch);
    },

    async setLatestVersion(caller, idOrGraph, version, required) {
      return versions.setLatest(assistantKeyOf(caller, idOrGraph), version, required);
    },

    async listVersions(caller, idOrGraph, query) {
      return versions.list(assistantKeyOf(caller, idOrGraph), query);
    },

    async deleteAssistant(caller, idOrGraph) {
      await versions.remove(assistantKeyOf(caller, idOrGraph));
    },

    async getAssistant(caller, idOrGraph) {
      const found = await assistants.findOne({ _id: assistantKeyOf(caller, idOrGraph) });
      if (found === null) throw new ColloquyError('not_found', `assistant ${JSON.stringify(idOrGraph)} does not exist`);
      return asAssistant(found);
    },

    async searchAssistants(caller, query) {
      guardPage(query);
      const filter = assistantFilter(caller.tenant, query);
      const direction = query.sortOrder === 'asc' ? 1 : -1;
      const page = assistants
        .find(filter)
        .sort({ [SORT_FIELDS[query.sortBy ?? 'created_at']]: direction, _id: direction })
        .skip(query.offset)
        .limit(query.limit);
      const [found, total] = await Promise.all([page.toArray(), assistants.countDocuments(filter)]);
      return { assistants: found.map(asAssistant), total };
    },
  });
}

function assistantKeyOf({ tenant }: Caller, idOrGraph: string): string {
  const id = idOrGraph.toLowerCase();
  return assistantKey(tenant, isUuid(id) ? id : systemAssistantId(idOrGraph));
}

/**
 * Returns the MongoDB filter for a search. As on LangGraph's own servers, the name of an assistant
 * matches if it contains the text `name`. Upper case and lower case count as equal.
 */
function assistantFilter(
  tenant: string,
  { graphId, name, metadata, required }: AssistantQuery,
): Filter<AssistantDocument> {
  const wanted = queryLabels(tenant, metadata ?? {});
  return {
    ...withLabels(tenant, wanted, required),
    tenant,
    // A client may send an object with a MongoDB operator instead of a string. `$eq` compares it as
    // a value, so that MongoDB does not execute the operator.
    ...(graphId === undefined ? {} : { graphId: { $eq: graphId } }),
    ...(name === undefined ? {} : { name: { $regex: name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), $options: 'i' } }),
  };
}
