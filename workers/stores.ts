import type { Db, MongoClient } from 'mongodb';
import type { Config } from '../config/index.js';
import { asPlatformError, connectMongo } from '../database/index.js';
import { createDeliveryStore, ensureIndexes as ensureDeliveryIndexes } from '../egress/index.js';
import type { DeliveryStore } from '../egress/index.js';
import { ensureIndexes as ensureItemIndexes } from '../memory/index.js';
import { ColloquyError, TENANT_PATTERN, ifFound } from '../protocol/index.js';
import type { Authorize, Caller, DeriveId, RunConfig } from '../protocol/index.js';
import { toWireText } from '../steps/index.js';
import { createEventLog, ensureIndexes as ensureEventIndexes } from '../streams/index.js';
import type { EventLog } from '../streams/index.js';
import {
  ValueTexts,
  copyState,
  createAssistantStore,
  createCronStore,
  createHeadStore,
  createInjectionStore,
  createSaverStore,
  createThreadStore,
  ensureIndexes as ensureThreadIndexes,
  keepLatest,
  thinState,
} from '../threads/index.js';
import type {
  AssistantStore,
  CronStore,
  HeadStore,
  InjectionStore,
  SaverStore,
  ThreadSaver,
  ThreadStore,
} from '../threads/index.js';
import { authorizeBy, checkRule, guarded, type Policy } from '../policy/index.js';
import { attributeReaders } from './attributes.js';
import { openDerivedIds } from './derived-ids.js';
import { MongoOutbox } from './mongo-outbox.js';
import {
  ASSISTANT_RULES,
  CRON_RULES,
  DELIVERY_RULES,
  EVENT_RULES,
  HEAD_RULES,
  INJECTION_RULES,
  SAVER_RULES,
  THREAD_RULES,
} from './port-rules.js';

/** The stores of a process. All of them use the same database. */
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
  heads: HeadStore;
  injections: InjectionStore;
  savers: SaverStore;
  close(): Promise<void>;
}

export interface OpenStoresOptions {
  /** Decides whether a call of a store is allowed. */
  policy?: Policy;
  /** False: another process has created the indexes. Default: true. */
  createsIndexes?: boolean;
}

/**
 * Connects to the database, creates missing indexes, and opens the stores. Errors: `unavailable`.
 */
export async function openStores(
  config: Pick<Config, 'mongo' | 'retention'>,
  { policy = sameTenant, createsIndexes = true }: OpenStoresOptions = {},
): Promise<Stores> {
  const client = await connectMongo(config.mongo.uri);
  try {
    const db = client.db(config.mongo.database);
    const outbox = new MongoOutbox(db);
    if (createsIndexes) await createIndexes(db);
    const savers = createSaverStore({ client, db });
    const texts = new ValueTexts(toWireText);
    const log = createEventLog({
      db,
      retentionMs: config.retention.eventsMs,
      readReferences: async (caller, threadId, keys) =>
        storedTexts(await savers.openReader(caller, threadId), texts, threadId, keys),
    });
    const threads = createThreadStore({
      db,
      removeState: async (caller, threadId) => (await savers.openEditor(caller, threadId)).deleteThread(threadId),
      copyState: ({ tenant }, from, to) => copyState({ client, db }, { tenant, from, to }),
      pruneState: ({ tenant }, threadId) => keepLatest({ client, db, tenant }, threadId),
      thinState: ({ tenant }, threadId, policy, options) =>
        thinState({ client, db, tenant }, threadId, policy, options),
    });
    const assistants = createAssistantStore({ db });
    const crons = createCronStore({ db });
    const authorize = authorizeBy(policy, attributeReaders({ threads, assistants, crons }));
    return {
      client,
      db,
      threads: guarded(threads, THREAD_RULES, authorize),
      assistants: guarded(assistants, ASSISTANT_RULES, authorize),
      crons: guarded(crons, CRON_RULES, authorize),
      events: guardedEvents(log, authorize),
      outbox,
      deliveries: guarded(createDeliveryStore({ db }), DELIVERY_RULES, authorize),
      authorize,
      deriveId: await openDerivedIds(db),
      heads: guarded(createHeadStore(db), HEAD_RULES, authorize),
      injections: guarded(createInjectionStore(db), INJECTION_RULES, authorize),
      savers: guarded(savers, SAVER_RULES, authorize),
      async close() {
        await log.close();
        await client.close();
      },
    };
  } catch (error) {
    await client.close();
    // An executor may start while the database is down. Then its steps must be tried again.
    throw asPlatformError(error, 'the database cannot be opened');
  }
}

async function createIndexes(db: Db): Promise<void> {
  await Promise.all([
    ensureThreadIndexes(db),
    ensureEventIndexes(db),
    ensureDeliveryIndexes(db),
    ensureItemIndexes(db),
  ]);
}

/**
 * Returns the event log with an authorization check for each call. `open` returns a writer at once,
 * before its check has ended. The writer waits for the result of the check before its first write.
 */
function guardedEvents(log: EventLog, authorize: Authorize): EventLog {
  return {
    ...guarded(log, EVENT_RULES, authorize, ['follow']),
    open(caller, scope) {
      const allowed = checkRule(EVENT_RULES.open, authorize, caller, [scope]);
      // If the caller may not write, the promise `allowed` rejects, and each flush of the writer
      // throws that error. But if `log.open` throws, there is no writer, and nobody handles the
      // rejection. This empty handler keeps the rejection from counting as unhandled.
      allowed.catch(() => undefined);
      return log.open(caller, { ...scope, after: Promise.all([allowed, scope.after]) });
    },
  };
}

/**
 * Returns channel values of a thread's state as JSON text, by their keys. Events reference values
 * by these keys. Leaves out a key without a stored value.
 */
async function storedTexts(
  saver: ThreadSaver,
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

/** Returns a function that reads the config with which a thread's last run was requested. */
export function lastConfigOf({ threads }: Pick<Stores, 'threads'>) {
  return async (caller: Caller, threadId: string): Promise<RunConfig | undefined> => {
    const [run] = await threads.listRuns(caller, threadId, { limit: 1, offset: 0 });
    return run?.request.config;
  };
}

/**
 * The default policy: every caller with a valid tenant and a principal may do every action. The
 * policy does not compare tenants. A caller cannot reach another tenant, because every database key
 * begins with the caller's tenant.
 */
const sameTenant: Policy = async ({ tenant, principal }, action, resource) => {
  if (TENANT_PATTERN.test(tenant) && principal.id !== '') return;
  const problem = `${action} of ${resource.kind} ${resource.id} needs a caller with a tenant and a principal`;
  throw new ColloquyError('forbidden', problem);
};
