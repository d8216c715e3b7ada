import type { ClientSession } from 'mongodb';
import type { HeadChange } from './mongo-heads.js';
import { bytes, type StateDocument } from './state-documents.js';

/** Chunks with more bytes in total are stored before a commit, which then only references them. */
const EARLY_BYTES = 4 * 1024 * 1024;

/** Documents and a change of the head, stored in one transaction. */
export interface StateCommit {
  /** Documents with new keys. Chunks are always among these. */
  inserts: StateDocument[];
  /**
   * Documents whose keys may exist. Special writes and checkpoints are replaced; regular writes and
   * values keep the stored document.
   */
  merges: StateDocument[];
  /** Writes other collections in the same transaction. */
  beside?: (session: ClientSession) => Promise<void>;
  /** Called right before the commit, after all documents were written. */
  head: () => Promise<HeadChange>;
}

/**
 * Splits documents into chunks to insert before the commit, if they are large in total, and
 * documents that the commit inserts itself. Unreferenced chunks are invisible. If the commit fails,
 * they stay until the thread is pruned.
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
