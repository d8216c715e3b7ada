import { uuid5 } from '@langchain/langgraph-checkpoint';
import type { Db, MongoClient } from 'mongodb';
import { isDatabaseError } from '../../database/index.js';
import { ColloquyError, errorCode, type Caller } from '../../protocol/index.js';
import { StateImport, type ImportedState } from './state-import.js';
import { MongoSaver } from '../state/saver/mongo-saver.js';
import { OfficialSaver } from './official-saver.js';
import { ThreadRecords, isUuid, type ThreadStanding } from '../records/index.js';

/** Ids of threads here are UUIDs; one that is none there becomes one, always the same. */
const ID_NAMESPACE = '0f8fad5b-d9cb-469f-a165-70867728950e';

export interface ImportOptions {
  client: MongoClient;
  db: Db;
  caller: Caller;
  source: { db: Db; checkpoints: string; writes: string };
  /** Of each thread. */
  metadata: Record<string, unknown>;
  /** How a thread stands whose state has come. */
  standing: (threadId: string) => Promise<ThreadStanding>;
}

/** What became of a thread of the source. */
export type ImportedThread = { sourceId: string; threadId: string } & (
  | { outcome: 'imported'; state: ImportedState }
  /** By an import before. */
  | { outcome: 'there' }
  | { outcome: 'refused'; reason: string }
);

/**
 * Takes over the threads that the official saver for MongoDB has written: every checkpoint with its pending writes. A thread is shown once it is whole; one
 * whose import was cut off begins again, one that is there is left as it is. Not to be run twice at a time. Errors: those of the databases, and
 * `not_found` where the source has no thread.
 */
export async function* importThreads(options: ImportOptions): AsyncGenerator<ImportedThread> {
  const { source } = options;
  const official = new OfficialSaver(source.db, source);
  let isEmpty = true;
  for await (const sourceId of official.threadIds()) {
    isEmpty = false;
    const place = { sourceId, threadId: isUuid(sourceId) ? sourceId : uuid5(sourceId, ID_NAMESPACE) };
    try {
      const state = await importThread(options, official, place);
      yield state === undefined ? { ...place, outcome: 'there' } : { ...place, outcome: 'imported', state };
    } catch (error) {
      // With a database that fails all threads would; all else is wrong with this one.
      if (isDatabaseError(error) || errorCode(error) === 'unavailable') throw error;
      yield { ...place, outcome: 'refused', reason: (error as Error).message };
    }
  }
  if (!isEmpty) return;
  const where = `${source.db.databaseName}.${source.checkpoints}`;
  throw new ColloquyError('not_found', `collection ${where} has no checkpoints of LangGraph’s saver`);
}

async function importThread(
  { client, db, caller, metadata, standing }: ImportOptions,
  official: OfficialSaver,
  { sourceId, threadId }: { sourceId: string; threadId: string },
): Promise<ImportedState | undefined> {
  const { tenant } = caller;
  const records = new ThreadRecords(db.collection('threads'));
  const renamed = sourceId === threadId ? {} : { source_thread_id: sourceId };
  const isNew = await records.beginImport(caller, { threadId, metadata: { ...metadata, ...renamed } });
  if (!isNew) return undefined;
  const removeState = () => new MongoSaver({ client, db, tenant }).deleteThread(threadId);
  // What an import that was cut off has left.
  await removeState();
  try {
    const onStored = () => records.continueImport(caller, threadId);
    const state = await new StateImport({ client, db, tenant }, threadId).run(official, sourceId, onStored);
    await records.finishImport(caller, threadId, { ...state, standing: await standing(threadId) });
    return state;
  } catch (error) {
    await removeState();
    await records.remove(caller, threadId);
    throw error;
  }
}
