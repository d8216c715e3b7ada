import { MongoClient, type Db } from 'mongodb';

const PERIOD_MS = 5 * 60_000;
const SYSTEM_DATABASES = new Set(['admin', 'config', 'local']);

/**
 * Starts to delete expired documents at an interval. A document is expired if it is older than a
 * TTL index of its collection allows. The returned function stops the deletion.
 *
 * SecantusDB can delete expired documents itself, once a minute, but `start.py` switches this off.
 * The reason: SecantusDB's own deletion decodes every document of each collection with a TTL index,
 * and holds a lock that all commands need. If 20,000 batches of events are stored, the server
 * answers nothing for 5 to 20 s during such a deletion. The deletion here uses the index and takes
 * 2 ms if nothing has expired.
 */
export function expireDocuments(uri: string): () => Promise<void> {
  let sweeping: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    // An error is not reported, because the next sweep finds the same documents.
    sweeping = sweep(uri).catch(() => undefined);
  }, PERIOD_MS).unref();
  return async () => {
    clearInterval(timer);
    await sweeping;
  };
}

/**
 * Deletes the expired documents of all databases once. Returns the number of deleted documents.
 * Errors: those of the MongoDB driver.
 */
export async function sweep(uri: string): Promise<number> {
  const client = await MongoClient.connect(uri, { serverSelectionTimeoutMS: 2_000, socketTimeoutMS: 10_000 });
  try {
    const { databases } = await client.db().admin().listDatabases({ nameOnly: true });
    let deleted = 0;
    for (const { name } of databases) {
      if (!SYSTEM_DATABASES.has(name)) deleted += await sweepDatabase(client.db(name));
    }
    return deleted;
  } finally {
    await client.close();
  }
}

async function sweepDatabase(db: Db): Promise<number> {
  let deleted = 0;
  for (const collection of await db.collections()) {
    for (const { key, expireAfterSeconds } of await collection.indexes()) {
      const [field] = Object.keys(key as object);
      if (typeof expireAfterSeconds !== 'number' || field === undefined) continue;
      const expiredBefore = new Date(Date.now() - expireAfterSeconds * 1_000);
      deleted += (await collection.deleteMany({ [field]: { $lt: expiredBefore } })).deletedCount;
    }
  }
  return deleted;
}
