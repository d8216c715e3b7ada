import { randomUUID } from 'node:crypto';
import { MemorySaver, type CompiledStateGraph } from '@langchain/langgraph';
import { loadConfig } from '../config/index.js';
import { DEFAULT_TENANT } from '../protocol/index.js';
import { openStores, type Stores } from '../workers/index.js';
import type { BenchHouse } from './house.js';

type AnyGraph = CompiledStateGraph<unknown, unknown, string>;

/** Opens the stores of a database on the house's server. */
export async function openHouseStores(house: BenchHouse, database: string): Promise<Stores> {
  const stores = await openStores(loadConfig({ MONGODB_URI: house.mongodbUri, MONGODB_DATABASE: database }));
  house.onStop(() => stores.close());
  return stores;
}

export interface GraphsInProcess {
  /** A function that runs one turn of a thread; a new thread each time where none is given. */
  turns: (builder: { compile(options: object): unknown }, threadId?: string) => (input: object) => Promise<void>;
}

/** Graphs in the bench's own process, on the saver that the platform has, in a database of their own: no queue, no API, no event log. */
export async function startInProcess(house: BenchHouse): Promise<GraphsInProcess> {
  const stores = await openHouseStores(house, `${house.name}-in-process`);
  return graphsOn(stores.saver(DEFAULT_TENANT));
}

/** The same with all state in memory, as LangGraph's `MemorySaver` keeps it: what LangGraph itself takes. */
export function inMemory(): GraphsInProcess {
  return graphsOn(new MemorySaver());
}

function graphsOn(checkpointer: MemorySaver | ReturnType<Stores['saver']>): GraphsInProcess {
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
