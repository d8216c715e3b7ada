const AT_ONCE = 20;

/** Does something with each of many, a few at a time, in order. */
export async function inChunks<T, R>(all: readonly T[], act: (one: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < all.length; from += AT_ONCE) {
    results.push(...(await Promise.all(all.slice(from, from + AT_ONCE).map(act))));
  }
  return results;
}
