import { MongoClient } from 'mongodb';
import type { Db } from 'mongodb';
import type { Config } from '../config/index.js';
import { createDeliveryStore, ensureIndexes as ensureDeliveryIndexes } from '../egress/index.js';
import type { DeliveryStore } from '../egress/index.js';
import { ensureIndexes as ensureItemIndexes } from '../memory/index.js';
import { ColloquyError, TENANT_PATTERN, ifFound } from '../protocol/index.js';
import type { Authorize, Caller, DeriveId, RunConfig } from '../protocol/index.js';
import { toWireText } from '../steps/index.js';
import { createEventLog, ensureIndexes as ensureEventIndexes } from '../streams/index.js';
import type { EventLog } from '../streams/index.js';
import {
  MongoSaver,
  ValueTexts,
  copyState,
  createAssistantStore,
  createCronStore,
  createThreadStore,
  ensureIndexes as ensureThreadIndexes,
  keepLatest,
  thinState,
} from '../threads/index.js';
import type { AssistantStore, CronStore, ThreadStore } from '../threads/index.js';
import { guarded } from '../policy/index.js';
import { openDerivedIds } from './derived-ids.js';
import { MongoOutbox } from './mongo-outbox.js';
import { ASSISTANT_RULES, CRON_RULES, DELIVERY_RULES, EVENT_RULES, THREAD_RULES } from './port-rules.js';

/** The stores of a process in its database. */
export interface Stores {
  client: MongoClient;
  db: Db;
  threads: ThreadStore;
  assistants: AssistantStore;
  crons: CronStore;
  events: EventLog;
  outbox: MongoOutbox;
  deliveries: DeliveryStore;
  authorize: Authorize;
  deriveId: DeriveId;
  /** Creates a checkpoint saver for a tenant. `exclusive`: for an edit of the state. */
  saver: (tenant: string, exclusive?: boolean) => MongoSaver;
  close(): Promise<void>;
}

const SELECTION_TIMEOUT_MS = 10_000;
/**
 * An operation that takes longer fails together with its connection. The driver's own `timeoutMS`
 * has no effect.
 */
const ANSWER_TIMEOUT_MS = 30_000;

/** Connects to the database and creates missing indexes. Errors: `unavailable`. */
export async function openStores(config: Pick<Config, 'mongo' | 'retention'>): Promise<Stores> {
  const client = await connectMongo(config.mongo.uri);
  try {
    const db = client.db(config.mongo.database);
    const outbox = new MongoOutbox(db);
    await Promise.all([
      ensureThreadIndexes(db),
      ensureEventIndexes(db),
      ensureDeliveryIndexes(db),
      ensureItemIndexes(db),
    ]);
    const saver = (tenant: string, exclusive = false) => new MongoSaver({ client, db, tenant, exclusive });
    const removeState = (tenant: string, threadId: string) => saver(tenant).deleteThread(threadId);
    const texts = new ValueTexts(toWireText);
    const log = createEventLog({
      db,
      retentionMs: config.retention.eventsMs,
      readReferences: (tenant, threadId, keys) => storedTexts(saver(tenant), texts, threadId, keys),
    });
    const threads = createThreadStore({
      db,
      removeState,
      copyState: (tenant, from, to) => copyState({ client, db }, { tenant, from, to }),
      pruneState: (tenant, threadId) => keepLatest({ client, db, tenant }, threadId),
      thinState: (tenant, threadId, policy, options) => thinState({ client, db, tenant }, threadId, policy, options),
    });
    const authorize = sameTenant;
    return {
      client,
      db,
      threads: guarded(threads, THREAD_RULES, authorize),
      assistants: guarded(createAssistantStore({ db }), ASSISTANT_RULES, authorize),
      crons: guarded(createCronStore({ db }), CRON_RULES, authorize),
      events: guarded(log, EVENT_RULES, authorize, ['follow']),
      outbox,
      deliveries: guarded(createDeliveryStore({ db }), DELIVERY_RULES, authorize),
      authorize,
      deriveId: await openDerivedIds(db),
      saver,
      async close() {
        await log.close();
        await client.close();
      },
    };
  } catch (error) {
    await client.close();
    throw error;
  }
}

/** Returns stored values of a thread as the JSON text of events. */
async function storedTexts(
  saver: MongoSaver,
  texts: ValueTexts,
  threadId: string,
  keys: string[],
): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for (const key of keys) {
    const text = await ifFound(saver.valueText(threadId, key, texts));
    if (text !== undefined) found.set(key, text);
  }
  return found;
}

/** Returns a function that reads the config of a thread's last run. */
export function lastConfigOf({ threads }: Pick<Stores, 'threads'>) {
  return async (caller: Caller, threadId: string): Promise<RunConfig | undefined> => {
    const [run] = await threads.listRuns(caller, threadId, { limit: 1, offset: 0 });
    return run?.request.config;
  };
}

/** Errors: `unavailable`. */
export async function connectMongo(uri: string): Promise<MongoClient> {
  try {
    const options = {
      ...(!uri.includes('serverSelectionTimeoutMS=') && { serverSelectionTimeoutMS: SELECTION_TIMEOUT_MS }),
      ...(!uri.includes('socketTimeoutMS=') && { socketTimeoutMS: ANSWER_TIMEOUT_MS }),
      retryReads: true,
      ignoreUndefined: true,
    };
    return await MongoClient.connect(uri, options);
  } catch (cause) {
    const where = uri.replace(/\/\/[^@/]*@/, '//***@');
    throw new ColloquyError('unavailable', `MongoDB does not answer at ${where}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

/**
 * Allows every action within the tenant. Other tenants cannot be reached, since every database key
 * begins with the caller's tenant.
 */
const sameTenant: Authorize = (caller, action, resource) => {
  if (TENANT_PATTERN.test(caller.tenant) && caller.principal.id !== '') return Promise.resolve();
  return Promise.reject(
    new ColloquyError(
      'forbidden',
      `${action} of ${resource.kind} ${resource.id} needs a caller with a tenant and a principal`,
    ),
  );
};
