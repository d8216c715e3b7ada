import type { Collection, Db } from 'mongodb';
import type { Outbox, OutboxMessage } from '../agents/outbox.js';

interface OutboxDocument extends OutboxMessage {
  /** `<tenant>/<idempotency key>`. */
  _id: string;
  at: Date;
}

/**
 * Stores the messages that graphs send, in the collection `outbox`. Stores only one message for
 * each idempotency key: a repeated call with the same key changes nothing.
 */
export class MongoOutbox implements Outbox {
  readonly #messages: Collection<OutboxDocument>;

  constructor(db: Db) {
    this.#messages = db.collection('outbox');
  }

  async send(key: string, message: OutboxMessage): Promise<{ firstTime: boolean }> {
    const { _id, ...fields }: OutboxDocument = { _id: `${message.tenant}/${key}`, ...message, at: new Date() };
    const { upsertedCount } = await this.#messages.updateOne({ _id }, { $setOnInsert: fields }, { upsert: true });
    return { firstTime: upsertedCount === 1 };
  }
}
