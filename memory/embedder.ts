import { ColloquyError } from '../protocol/index.js';
import type { Embedder } from './ports.js';

/** Returns one vector for each text. */
export type Embed = Embedder['embed'];

/**
 * Converts what a project exports as its embedder to a function of type `Embed`. The export is a
 * function of texts, or an instance of LangChain's `Embeddings`. An instance is recognised by its
 * method and not by its class, because a project may have its own copy of LangChain. Returns
 * undefined for any other export.
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

/**
 * Returns one vector for each text. Errors: `invalid_argument` if the number or the dimensions of
 * the vectors are wrong; any error of the embedder.
 */
export async function embed(embedder: Embedder, texts: string[]): Promise<Float32Array[]> {
  if (texts.length === 0) return [];
  const vectors = await embedder.embed(texts);
  const fits =
    Array.isArray(vectors) &&
    vectors.length === texts.length &&
    vectors.every((vector) => vector.length === embedder.dims);
  if (fits) return vectors.map((vector) => Float32Array.from(vector));
  const got = Array.isArray(vectors) ? `${vectors.length} vectors of ${vectors[0]?.length ?? 0}` : String(vectors);
  throw new ColloquyError(
    'invalid_argument',
    `store.index: ${embedder.id} returned ${got} dimensions; expected ${texts.length} vectors of ${embedder.dims}`,
    { field: 'store.index' },
  );
}
