import type { Db } from 'mongodb';
import { MongoHeads } from './mongo-heads.js';
import type { HeadStore } from './ports.js';

/** Implements the port with {@link MongoHeads}. */
export function createHeadStore(db: Db): HeadStore {
  const heads = new MongoHeads(db);
  return {
    readHead: ({ tenant }, threadId) => heads.readHead(tenant, threadId),
    raiseFence: ({ tenant }, threadId, fence) => heads.raiseFence(tenant, threadId, fence),
  };
}
