import type { Collection, Db } from 'mongodb';
import { openCollection } from '../database/index.js';
import type { Caller } from '../protocol/index.js';

/** A delivery: the body of a webhook, which is stored until the receiver has accepted it. */
export interface Delivery {
  /**
   * Id of the delivery. Every attempt sends the same id, so that the receiver recognises a webhook
   * that it has received before.
   */
  id: string;
  url: string;
  body: Record<string, unknown>;
  /**
   * Thread that the webhook is about. When this thread is deleted, the delivery is deleted too.
   * Absent for a stateless run: a sweep deletes its thread some minutes after the run, and the
   * delivery must stay.
   */
  threadId?: string;
}

/**
 * Store of the webhook deliveries that no receiver has accepted yet. The first argument of every
 * call is the caller. Every call is authorized, and accesses only the caller's tenant.
 */
export interface DeliveryStore {
  /** Stores a delivery. Does nothing if a delivery with this id is stored already. */
  put(caller: Caller, delivery: Delivery): Promise<void>;
  /**
   * Returns a delivery, or undefined if it is not stored any more: it was accepted, recalled or
   * given up.
   */
  get(caller: Caller, id: string): Promise<Delivery | undefined>;
  /** Removes a delivery. Idempotent. */
  remove(caller: Caller, id: string): Promise<void>;
  /**
   * Deletes the deliveries of webhooks about a thread. Idempotent. If a webhook is just being sent,
   * it may still reach the receiver.
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
  /** Time at which the delivery is given up, and MongoDB deletes the document. */
  expiresAt: Date;
}

/**
 * Time for which a delivery is stored, in ms. It is one day longer than the time for which the
 * webhook workflow tries to send the delivery.
 */
const KEPT_MS = 4 * 24 * 3_600_000;

/** Creates the indexes of the collection `deliveries`. Idempotent. */
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
