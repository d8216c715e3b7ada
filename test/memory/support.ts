import { randomUUID } from 'node:crypto';
import { MongoClient, type Db } from 'mongodb';
import { GraphStore, createItemStore, ensureIndexes, type ItemStore, type StoreSettings } from '../../memory/index.js';
import type { Caller } from '../../protocol/index.js';

/**
 * Returns how often each letter of the alphabet occurs in a text. Tests use this vector as
 * embedding, because its scores can be checked by hand.
 */
export function letterVector(text: string): number[] {
  const vector = Array<number>(26).fill(0);
  for (const letter of text.toLowerCase().match(/[a-z]/g) ?? []) {
    const at = letter.charCodeAt(0) - 97;
    vector[at] = (vector[at] ?? 0) + 1;
  }
  return vector;
}

export function callerOf(tenant: string): Caller {
  return { tenant, principal: { kind: 'user', id: 'test' }, onBehalfOf: [] };
}

/**
 * A database for the tests of one file. Each call of `graphStore` returns a store for a new tenant.
 */
export class MemoryWorld {
  private constructor(
    private readonly client: MongoClient,
    readonly db: Db,
  ) {}

  static async open(name: string): Promise<MemoryWorld> {
    const client = await MongoClient.connect(process.env['COLLOQUY_TEST_MONGODB_URI'] ?? '', { ignoreUndefined: true });
    const db = client.db(`memory_${name}_${process.pid}`);
    await ensureIndexes(db);
    return new MemoryWorld(client, db);
  }

  items(settings: StoreSettings = {}): ItemStore {
    return createItemStore({ db: this.db, ...settings });
  }

  graphStore(settings?: StoreSettings): GraphStore {
    return new GraphStore(this.items(settings), callerOf(`t-${randomUUID()}`));
  }

  async close(): Promise<void> {
    await this.db.dropDatabase();
    await this.client.close();
  }
}
