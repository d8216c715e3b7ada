import { ColloquyError } from '../protocol/index.js';
import type { Embedder } from './ports.js';

/** Texts in, a vector each out. */
export type Embed = Embedder['embed'];

/**
 * What a project exports to embed with, as one function: a function of texts, or LangChain's `Embeddings`, from whichever copy of it.
 * `undefined` where it is neither.
 */
export function toEmbed(exported: unknown): Embed | undefined {
  if (typeof exported === 'function') {
    const call = exported as (texts: string[]) => number[][] | Promise<number[][]>;
    return async (texts) => call(texts);
  }
  if (typeof exported !== 'object' || exported === null) return undefined;
  const embeddings = exported as { embedDocuments?: (texts: string[]) => Promise<number[][]> };
  if (typeof embeddings.embedDocuments !== 'function') return undefined;
  return (texts) => (embeddings as Required<typeof embeddings>).embedDocuments(texts);
}

/** Errors: `invalid_argument` when the embedder answers other vectors than it was configured for; what it throws. */
export async function embed(embedder: Embedder, texts: string[]): Promise<Float32Array[]> {
  if (texts.length === 0) return [];
  const vectors = await embedder.embed(texts);
  const fits =
    Array.isArray(vectors) &&
    vectors.length === texts.length &&
    vectors.every((vector) => vector.length === embedder.dims);
  if (fits) return vectors.map((vector) => Float32Array.from(vector));
  const got = Array.isArray(vectors) ? `${vectors.length} of ${vectors[0]?.length ?? 0}` : String(vectors);
  throw new ColloquyError(
    'invalid_argument',
    `store.index: ${embedder.id} was asked for ${texts.length} vectors of ${embedder.dims} dimensions and gave ${got}`,
    { field: 'store.index' },
  );
}
