import type { Collection, Db, Filter } from 'mongodb';
import { ColloquyError, type Authorize, type Caller } from '../protocol/index.js';
import {
  asAssistant,
  assistantKey,
  systemAssistant,
  systemAssistantId,
  type AssistantDocument,
} from './assistant-records.js';
import { isDuplicateKey, withDatabaseErrors } from './mongo-errors.js';
import { OPERATION_TIMEOUT_MS } from './mongo-thread-store.js';
import type { AssistantQuery, AssistantStore } from './ports.js';
import { guardPage, guardTenant, isUuid, labels } from './record-fields.js';

const SORT_FIELDS = {
  assistant_id: 'assistantId',
  graph_id: 'graphId',
  name: 'name',
  created_at: 'createdAt',
  updated_at: 'updatedAt',
} as const;

export interface AssistantStoreOptions {
  db: Db;
  authorize: Authorize;
}

/** Assistants in MongoDB. */
export function createAssistantStore({ db, authorize }: AssistantStoreOptions): AssistantStore {
  const assistants: Collection<AssistantDocument> = db.collection('assistants', { timeoutMS: OPERATION_TIMEOUT_MS });

  async function allow(caller: Caller, action: string, id: string): Promise<void> {
    guardTenant(caller.tenant);
    await authorize(caller, action, { kind: 'assistant', id });
  }

  return withDatabaseErrors<AssistantStore>({
    async registerGraphs(caller, graphs) {
      await allow(caller, 'assistant.register', '*');
      if (graphs.length === 0) return;
      const inserts = graphs.map((graph) => {
        const { _id, ...fields } = systemAssistant(caller.tenant, graph);
        return { updateOne: { filter: { _id }, update: { $setOnInsert: fields }, upsert: true } };
      });
      await assistants.bulkWrite(inserts, { ordered: false }).catch((error: unknown) => {
        if (!isDuplicateKey(error)) throw error; // another process was first
      });
    },

    async getAssistant(caller, idOrGraph) {
      await allow(caller, 'assistant.read', idOrGraph);
      const assistantId = isUuid(idOrGraph) ? idOrGraph : systemAssistantId(idOrGraph);
      const found = await assistants.findOne({ _id: assistantKey(caller.tenant, assistantId) });
      if (found === null) throw new ColloquyError('not_found', `assistant ${JSON.stringify(idOrGraph)} does not exist`);
      return asAssistant(found);
    },

    async searchAssistants(caller, query) {
      await allow(caller, 'assistant.search', '*');
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

/** A name matches where it holds the one asked for, in any case, as on LangGraph's servers. */
function assistantFilter(tenant: string, { graphId, name, metadata }: AssistantQuery): Filter<AssistantDocument> {
  const wanted = labels(tenant, metadata ?? {});
  return {
    ...(wanted.length === 0 ? {} : { labels: { $all: wanted } }),
    tenant,
    ...(graphId === undefined ? {} : { graphId }),
    ...(name === undefined ? {} : { name: { $regex: name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), $options: 'i' } }),
  };
}
