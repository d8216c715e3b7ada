import { uuid5 } from '@langchain/langgraph-checkpoint';
import type { Db, MongoClient } from 'mongodb';
import { isDatabaseError } from '../../database/index.js';
import { ColloquyError, errorCode, type Caller } from '../../protocol/index.js';
import { StateImport, type ImportedState } from './state-import.js';
import { MongoSaver } from '../state/saver/mongo-saver.js';
import { OfficialSaver } from './official-saver.js';
import { ThreadRecords, isUuid, type SettledState } from '../records/index.js';

/**
 * UUID namespace of the ids that an import creates. If the source has a thread with an id that is
 * not a UUID, the imported thread gets the uuid5 of that id in this namespace.
 */
const ID_NAMESPACE = '0f8fad5b-d9cb-469f-a165-70867728950e';

interface ImportOptions {
  client: MongoClient;
  db: Db;
  caller: Caller;
  source: { db: Db; checkpoints: string; writes: string };
  /** Metadata that each imported thread gets. */
  metadata: Record<string, unknown>;
  /**
   * Called after the state of a thread was imported. Returns the thread's status and open
   * interrupts.
   */
  settledState: (threadId: string) => Promise<SettledState>;
}

/** What the import did with one thread of the source. */
export type ImportedThread = { sourceId: string; threadId: string } & (
  | { outcome: 'imported'; state: ImportedState }
  /** An earlier import has imported this thread completely. */
  | { outcome: 'existing' }
  | { outcome: 'refused'; reason: string }
);

/**
 * Imports the threads that LangGraph's own saver for MongoDB has written: all their checkpoints and
 * pending writes. A thread becomes visible when it was imported completely. If an import is
 * interrupted in the middle of a thread, the next import removes the incomplete state of the thread
 * and imports the whole thread again. A thread that exists already is not changed. Two imports must
 * not run at the same time.
 * Errors: those of the databases; `not_found` if the source has no threads.
 */
export async function* importThreads(options: ImportOptions): AsyncGenerator<ImportedThread> {
  const { source } = options;
  const official = new OfficialSaver(source.db, source);
  let isEmpty = true;
  for await (const sourceId of official.threadIds()) {
    isEmpty = false;
    const ids = { sourceId, threadId: isUuid(sourceId) ? sourceId : uuid5(sourceId, ID_NAMESPACE) };
    try {
      const state = await importThread(options, official, ids);
      yield state === undefined ? { ...ids, outcome: 'existing' } : { ...ids, outcome: 'imported', state };
    } catch (error) {
      // If the database fails, every further thread would fail too, so the import ends. Any other
      // error concerns only this thread.
      if (isDatabaseError(error) || errorCode(error) === 'unavailable') throw error;
      yield { ...ids, outcome: 'refused', reason: (error as Error).message };
    }
  }
  if (!isEmpty) return;
  const collection = `${source.db.databaseName}.${source.checkpoints}`;
  throw new ColloquyError('not_found', `collection ${collection} has no checkpoints of LangGraph’s saver`);
}

async function importThread(
  { client, db, caller, metadata, settledState }: ImportOptions,
  official: OfficialSaver,
  { sourceId, threadId }: { sourceId: string; threadId: string },
): Promise<ImportedState | undefined> {
  const { tenant } = caller;
  const records = new ThreadRecords(db.collection('threads'));
  const renamed = sourceId === threadId ? {} : { source_thread_id: sourceId };
  const isNew = await records.beginImport(caller, { threadId, metadata: { ...metadata, ...renamed } });
  if (!isNew) return undefined;
  const removeState = () => new MongoSaver({ client, db, tenant }).deleteThread(threadId);
  // An earlier import that was interrupted may have left state documents of this thread.
  await removeState();
  try {
    const onStored = () => records.continueImport(caller, threadId);
    const state = await new StateImport({ client, db, tenant }, threadId).run(official, sourceId, onStored);
    await records.finishImport(caller, threadId, { ...state, settled: await settledState(threadId) });
    return state;
  } catch (error) {
    await removeState();
    await records.remove(caller, threadId);
    throw error;
  }
}
