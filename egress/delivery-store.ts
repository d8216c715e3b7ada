import type { Collection, Db } from 'mongodb';
import { openCollection } from '../database/index.js';
import type { Caller } from '../protocol/index.js';

/** A message that waits to be sent. */
export interface Delivery {
  /** The same for every attempt, so that the receiver recognises a repeated message. */
  id: string;
  url: string;
  body: Record<string, unknown>;
  /**
   * The thread that the message is about. The message is deleted with this thread. Absent: deleting
   * a thread does not delete the message.
   */
  threadId?: string;
}

/**
 * Messages that wait to be sent. The first argument of every call is the caller. Every call is
 * authorized, and accesses only the caller's tenant.
 */
export interface DeliveryStore {
  /** Stores a message. Does nothing if one with this id exists. */
  put(caller: Caller, delivery: Delivery): Promise<void>;
  /** Returns a message, or undefined if the message was sent or given up. */
  get(caller: Caller, id: string): Promise<Delivery | undefined>;
  /** Removes a message. Idempotent. */
  remove(caller: Caller, id: string): Promise<void>;
  /**
   * Deletes the messages about a thread. Idempotent. An attempt that is already sending a message
   * may still reach the receiver.
   */
  recall(caller: Caller, threadId: string): Promise<void>;
}

interface DeliveryDocument {
  /** `<tenant>/<id>` */
  _id: string;
  url: string;
  /** JSON text. */
  body: string;
  /** `<tenant>/<thread id>` */
  thread?: string;
  /** The message is given up and deleted at this time. */
  expiresAt: Date;
}

/** Longer than the three days for which delivery is attempted. */
const KEPT_MS = 4 * 24 * 3_600_000;

/** Creates the indexes. Idempotent. */
export async function ensureIndexes(db: Db): Promise<void> {
  await deliveries(db).createIndexes([
    { key: { expiresAt: 1 }, name: 'given_up', expireAfterSeconds: 0 },
    { key: { thread: 1 }, name: 'thread', sparse: true },
  ]);
}

export function createDeliveryStore({ db }: { db: Db }): DeliveryStore {
  const kept = deliveries(db);
  const key = (caller: Caller, id: string) => `${caller.tenant}/${id}`;

  return {
    async put(caller, { id, url, body, threadId }) {
      const document = {
        url,
        body: JSON.stringify(body),
        ...(threadId !== undefined && { thread: key(caller, threadId) }),
        expiresAt: new Date(Date.now() + KEPT_MS),
      };
      await kept.updateOne({ _id: key(caller, id) }, { $setOnInsert: document }, { upsert: true });
    },

    async get(caller, id) {
      const found = await kept.findOne({ _id: key(caller, id) });
      return found === null
        ? undefined
        : { id, url: found.url, body: JSON.parse(found.body) as Record<string, unknown> };
    },

    async remove(caller, id) {
      await kept.deleteOne({ _id: key(caller, id) });
    },

    async recall(caller, threadId) {
      await kept.deleteMany({ thread: key(caller, threadId) });
    },
  };
}

function deliveries(db: Db): Collection<DeliveryDocument> {
  return openCollection(db, 'deliveries');
}
