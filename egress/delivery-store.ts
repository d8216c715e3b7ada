import type { Collection, Db } from 'mongodb';
import { openCollection } from '../database/index.js';
import type { Caller } from '../protocol/index.js';

/** A message that waits to leave. */
export interface Delivery {
  /** The same for every attempt, so that its receiver knows it again. */
  id: string;
  url: string;
  body: Record<string, unknown>;
  /** The thread that it tells of, with which it goes; absent: it outlives that. */
  threadId?: string;
}

/** What is to be sent, until it has been sent. Every call takes the caller first, is authorized, and touches that tenant alone. */
export interface DeliveryStore {
  /** Keeps a message; one with its id that is there already stays as it is. */
  put(caller: Caller, delivery: Delivery): Promise<void>;
  /** `undefined` when it was sent, or given up. */
  get(caller: Caller, id: string): Promise<Delivery | undefined>;
  /** Idempotent. */
  remove(caller: Caller, id: string): Promise<void>;
  /** Takes back what tells of a thread. Idempotent; an attempt under way may still arrive. */
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
  /** Given up and swept then. */
  expiresAt: Date;
}

/** A little longer than attempts go on. */
const KEPT_MS = 4 * 24 * 3_600_000;

/** Idempotent. */
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
