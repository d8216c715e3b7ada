import type { ClientSession } from 'mongodb';
import type { HeadChange } from './mongo-heads.js';
import { bytes, type StateDocument } from './state-documents.js';

/**
 * Maximum total size of the chunks (the parts of long lists and of large values) that a commit
 * inserts in its transaction, in bytes. If the chunks are larger, they are inserted before the
 * transaction.
 */
const EARLY_BYTES = 4 * 1024 * 1024;

/**
 * Documents of a thread's state, and a change of the thread's head (the record of its newest
 * checkpoints). One transaction stores the documents and changes the head. Exception: if the chunks
 * are large in total, they are stored before the transaction ({@link withEarly}).
 */
export interface StateCommit {
  /** Documents whose keys are not in the database. All chunks of the commit are in this list. */
  inserts: StateDocument[];
  /**
   * Documents whose keys may be in the database already. If so, some documents replace the stored
   * one: checkpoints, pending writes to LangGraph's special channels, such as `__resume__`, and
   * pending writes of failed tasks. All other documents (channel values and the other pending
   * writes) leave the stored one as it is.
   */
  merges: StateDocument[];
  /** Writes to other collections in the same transaction. */
  beside?: (session: ClientSession) => Promise<void>;
  /**
   * Returns the change of the head. Called in the transaction, after all documents were written.
   */
  head: () => Promise<HeadChange>;
}

/**
 * Splits the documents of a commit into two lists. `early` has the chunks to insert before the
 * commit; it is empty if the chunks are small in total. `inserts` has the documents that the commit
 * inserts itself. If the commit fails, nothing references the early chunks. They stay until
 * pruning, thinning or the deletion of the thread removes them.
 */
export function withEarly(
  documents: StateDocument[],
  chunks: string,
): { early: StateDocument[]; inserts: StateDocument[] } {
  const early = documents.filter(({ group }) => group === chunks);
  const size = early.reduce((sum, document) => sum + bytes(document).length, 0);
  if (size <= EARLY_BYTES) return { early: [], inserts: documents };
  return { early, inserts: documents.filter(({ group }) => group !== chunks) };
}

/** Splits documents into lists of about {@link EARLY_BYTES} each. One insert takes one list. */
export function inPortions(documents: StateDocument[]): StateDocument[][] {
  const portions: StateDocument[][] = [];
  let size = Infinity;
  for (const document of documents) {
    const length = bytes(document).length;
    if (size + length > EARLY_BYTES) {
      portions.push([]);
      size = 0;
    }
    portions.at(-1)?.push(document);
    size += length;
  }
  return portions;
}

export function mergeWrite(document: StateDocument) {
  const { _id, ...fields } = document;
  const { index = 0, isPartial = false } = document.write ?? {};
  const replaced = document.metadata !== undefined || index < 0 || isPartial;
  const update = replaced ? { $set: fields } : { $setOnInsert: fields };
  return { updateOne: { filter: { _id }, update, upsert: true } };
}
