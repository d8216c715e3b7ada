import { randomUUID } from 'node:crypto';
import { MemorySaver, type CompiledStateGraph } from '@langchain/langgraph';
import { loadConfig } from '../config/index.js';
import { DEFAULT_TENANT, serviceCaller } from '../protocol/index.js';
import type { ThreadSaver } from '../threads/index.js';
import { openStores, type Stores } from '../workers/index.js';
import type { BenchHouse } from './house.js';

type AnyGraph = CompiledStateGraph<unknown, unknown, string>;

/** Opens the platform's stores on a database of the bench's MongoDB server. */
export async function openHouseStores(house: BenchHouse, database: string): Promise<Stores> {
  const stores = await openStores(loadConfig({ MONGODB_URI: house.mongodbUri, MONGODB_DATABASE: database }));
  house.onStop(() => stores.close());
  return stores;
}

export interface GraphsInProcess {
  /**
   * Compiles a graph. Returns a function that runs it once on the thread `threadId`. Without
   * `threadId`, each call runs it on a new thread.
   */
  turns: (builder: { compile(options: object): unknown }, threadId?: string) => (input: object) => Promise<void>;
}

/**
 * Prepares graphs that run in the bench's process. The platform's saver stores their checkpoints in
 * a separate database. The API, workflows and the event log are not used.
 */
export async function startInProcess(house: BenchHouse): Promise<GraphsInProcess> {
  const stores = await openHouseStores(house, `${house.name}-in-process`);
  return graphsOn(await stores.savers.openReader(serviceCaller(DEFAULT_TENANT, 'bench'), '*'));
}

/**
 * Prepares graphs that run in the bench's process. LangGraph's `MemorySaver` keeps all their state
 * in memory, so they show the cost of LangGraph alone.
 */
export function inMemory(): GraphsInProcess {
  return graphsOn(new MemorySaver());
}

function graphsOn(checkpointer: MemorySaver | ThreadSaver): GraphsInProcess {
  return {
    turns: (builder, threadId) => {
      const graph = builder.compile({ checkpointer }) as AnyGraph;
      return async (input: object) => {
        const configurable = { thread_id: threadId ?? randomUUID() };
        await graph.invoke(input, { configurable, durability: 'sync' });
      };
    },
  };
}
