import type { Db } from 'mongodb';
import { MongoHeads } from './mongo-heads.js';
import type { HeadStore } from './ports.js';

/** Creates a head store that reads and writes with {@link MongoHeads}. */
export function createHeadStore(db: Db): HeadStore {
  const heads = new MongoHeads(db);
  return {
    readHead: ({ tenant }, threadId) => heads.readHead(tenant, threadId),
    raiseFence: ({ tenant }, threadId, fence) => heads.raiseFence(tenant, threadId, fence),
  };
}
