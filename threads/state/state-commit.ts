import type { ClientSession } from 'mongodb';
import type { HeadChange } from './mongo-heads.js';
import { bytes, type StateDocument } from './state-documents.js';

/**
 * If the chunks of a commit have more bytes in total, they are stored before it. The commit then
 * only references them.
 */
const EARLY_BYTES = 4 * 1024 * 1024;

/** Documents and a change of the head, stored in one transaction. */
export interface StateCommit {
  /** Documents with new keys. All chunks are in this list. */
  inserts: StateDocument[];
  /**
   * Documents whose keys may be stored already. If so, special writes and checkpoints replace the
   * stored document. For regular writes and values, the stored document stays.
   */
  merges: StateDocument[];
  /** Writes other collections in the same transaction. */
  beside?: (session: ClientSession) => Promise<void>;
  /**
   * Returns the change of the head. Called right before the commit, after all documents were
   * written.
   */
  head: () => Promise<HeadChange>;
}

/**
 * Splits documents into `early`, the chunks to insert before the commit, and `inserts`, which the
 * commit inserts itself. `early` is empty if the chunks are small in total. Early chunks are
 * invisible until a document references them. If the commit fails, they stay until the thread is
 * pruned.
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

/** Splits documents into inserts of about {@link EARLY_BYTES} each. */
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
  const replaced = document.metadata !== undefined || (document.write?.index ?? 0) < 0;
  const update = replaced ? { $set: fields } : { $setOnInsert: fields };
  return { updateOne: { filter: { _id }, update, upsert: true } };
}
