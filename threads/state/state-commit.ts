import type { ClientSession } from 'mongodb';
import type { HeadChange } from './mongo-heads.js';
import { bytes, type StateDocument } from './state-documents.js';

/** More bytes of chunks than this are stored before a commit, which then only names them. */
const EARLY_BYTES = 4 * 1024 * 1024;

/** Documents to store and how heads move, in one transaction. */
export interface StateCommit {
  /** Fresh keys: inserted. Chunks are only ever among these. */
  inserts: StateDocument[];
  /** Keys that may be there: special writes and checkpoints are replaced, regular writes and values kept. */
  merges: StateDocument[];
  /** Writes elsewhere that belong to the state. */
  beside?: (session: ClientSession) => Promise<void>;
  /** Asked for right before the commit, when everything else is stored. */
  head: () => Promise<HeadChange>;
}

/**
 * Chunks to store before the commit, where they are many bytes, and what the commit inserts itself. Nobody sees chunks that nothing names:
 * those of a commit that does not come about wait until the thread is pruned.
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

/** Documents of one insert have about so many bytes. */
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
