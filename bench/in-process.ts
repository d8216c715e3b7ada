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
 * Prepares graphs that run in the bench's process. Their checkpoints go to the platform's saver,
 * with a database of its own. No API, workflow or event log takes part.
 */
export async function startInProcess(house: BenchHouse): Promise<GraphsInProcess> {
  const stores = await openHouseStores(house, `${house.name}-in-process`);
  return graphsOn(await stores.savers.openReader(serviceCaller(DEFAULT_TENANT, 'bench'), '*'));
}

/**
 * Prepares graphs that run in the bench's process with all state in memory, in LangGraph's
 * `MemorySaver`. They show the cost of LangGraph alone.
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
