const CHUNK_SIZE = 20;

/**
 * Applies an async function to all elements, in chunks of `CHUNK_SIZE`. Returns the results in
 * order.
 */
export async function inChunks<T, R>(all: readonly T[], act: (element: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < all.length; start += CHUNK_SIZE) {
    results.push(...(await Promise.all(all.slice(start, start + CHUNK_SIZE).map(act))));
  }
  return results;
}
