import pLimit from 'p-limit';

const CONCURRENCY = 20;

/**
 * Calls `map` for each item, in order, with at most 20 calls at a time. Returns the results in the
 * order of the items. After an error no further call starts.
 */
export async function mapLimited<T, R>(items: readonly T[], map: (item: T) => Promise<R>): Promise<R[]> {
  const limit = pLimit(CONCURRENCY);
  try {
    return await limit.map(items, map);
  } catch (error) {
    limit.clearQueue();
    throw error;
  }
}
