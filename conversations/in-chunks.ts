const CHUNK_SIZE = 20;

/**
 * Calls an async function for each element. The elements of one chunk (`CHUNK_SIZE`) run in
 * parallel, and the next chunk waits for them. Returns the results in the order of the elements.
 */
export async function inChunks<T, R>(all: readonly T[], act: (element: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < all.length; start += CHUNK_SIZE) {
    results.push(...(await Promise.all(all.slice(start, start + CHUNK_SIZE).map(act))));
  }
  return results;
}
