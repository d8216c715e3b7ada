import { MongoClient, type Db } from 'mongodb';

const PERIOD_MS = 5 * 60_000;
const OWN = new Set(['admin', 'config', 'local']);

/**
 * Removes what TTL indexes let expire, in SecantusDB's place: its own sweep decodes every document of a collection with such an index while it holds
 * the lock that all commands need, once a minute. 20,000 batches of events are 5 to 20 s in which nobody is answered. A deletion by the
 * index takes 2 ms where there is nothing to remove. Answers how to end it.
 */
export function expireDocuments(uri: string): () => Promise<void> {
  let sweeping: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    // Whether the server is away or being stopped: the next sweep finds the same.
    sweeping = sweep(uri).catch(() => undefined);
  }, PERIOD_MS).unref();
  return async () => {
    clearInterval(timer);
    await sweeping;
  };
}

/** One sweep over all databases. Answers how many documents were removed. Errors: the driver's. */
export async function sweep(uri: string): Promise<number> {
  const client = await MongoClient.connect(uri, { serverSelectionTimeoutMS: 2_000, socketTimeoutMS: 10_000 });
  try {
    const { databases } = await client.db().admin().listDatabases({ nameOnly: true });
    let removed = 0;
    for (const { name } of databases) if (!OWN.has(name)) removed += await sweepDatabase(client.db(name));
    return removed;
  } finally {
    await client.close();
  }
}

async function sweepDatabase(db: Db): Promise<number> {
  let removed = 0;
  for (const collection of await db.collections()) {
    for (const { key, expireAfterSeconds } of await collection.indexes()) {
      const [field] = Object.keys(key as object);
      if (typeof expireAfterSeconds !== 'number' || field === undefined) continue;
      const before = new Date(Date.now() - expireAfterSeconds * 1_000);
      removed += (await collection.deleteMany({ [field]: { $lt: before } })).deletedCount;
    }
  }
  return removed;
}
