import { randomUUID } from 'node:crypto';
import type { CompiledStateGraph } from '@langchain/langgraph';
import { loadConfig } from '../config/index.js';
import { DEFAULT_TENANT } from '../protocol/index.js';
import { openStores, type Stores } from '../workers/index.js';
import type { House } from './house.js';

type AnyGraph = CompiledStateGraph<unknown, unknown, string>;

/** Opens the stores of a database on the house's server. */
export async function openHouseStores(house: House, database: string): Promise<Stores> {
  const stores = await openStores(loadConfig({ MONGODB_URI: house.mongodbUri, MONGODB_DATABASE: database }));
  house.onStop(() => stores.close());
  return stores;
}

/** Graphs in the bench's own process, on the saver that the platform has, in a database of their own: no queue, no API, no event log. */
export async function startInProcess(house: House) {
  const stores = await openHouseStores(house, `${house.name}-in-process`);
  const checkpointer = stores.saver(DEFAULT_TENANT);
  return {
    /** A function that runs one turn of a thread; a new thread each time where none is given. */
    turns: (builder: { compile(options: object): unknown }, threadId?: string) => {
      const graph = builder.compile({ checkpointer }) as AnyGraph;
      return async (input: object) => {
        const configurable = { thread_id: threadId ?? randomUUID() };
        await graph.invoke(input, { configurable, durability: 'sync' });
      };
    },
  };
}
