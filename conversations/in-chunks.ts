const CHUNK_SIZE = 20;

/**
 * Calls an async function for each element. The calls for a chunk of `CHUNK_SIZE` elements run in
 * parallel. The next chunk begins when all of them have ended. Returns the results in the order of
 * the elements.
 */
export async function inChunks<T, R>(all: readonly T[], act: (element: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < all.length; start += CHUNK_SIZE) {
    results.push(...(await Promise.all(all.slice(start, start + CHUNK_SIZE).map(act))));
  }
  return results;
}
