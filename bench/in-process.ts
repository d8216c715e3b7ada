import { randomUUID } from 'node:crypto';
import { MemorySaver, type CompiledStateGraph } from '@langchain/langgraph';
import { loadConfig } from '../config/index.js';
import { DEFAULT_TENANT, serviceCaller } from '../protocol/index.js';
import type { ThreadSaver } from '../threads/index.js';
import { openStores, type Stores } from '../workers/index.js';
import type { BenchHouse } from './house.js';

type AnyGraph = CompiledStateGraph<unknown, unknown, string>;

/** Opens the stores of a database on the bench's server. */
export async function openHouseStores(house: BenchHouse, database: string): Promise<Stores> {
  const stores = await openStores(loadConfig({ MONGODB_URI: house.mongodbUri, MONGODB_DATABASE: database }));
  house.onStop(() => stores.close());
  return stores;
}

export interface GraphsInProcess {
  /** Returns a function that runs one turn of a thread. Default: a new thread for each turn. */
  turns: (builder: { compile(options: object): unknown }, threadId?: string) => (input: object) => Promise<void>;
}

/**
 * Runs graphs in the bench's process, on the platform's saver with its own database. There is no
 * queue, API or event log.
 */
export async function startInProcess(house: BenchHouse): Promise<GraphsInProcess> {
  const stores = await openHouseStores(house, `${house.name}-in-process`);
  return graphsOn(await stores.savers.openReader(serviceCaller(DEFAULT_TENANT, 'bench'), '*'));
}

/**
 * Runs graphs with all state in memory, in LangGraph's `MemorySaver`. This is the cost of LangGraph
 * alone.
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
