import pLimit from 'p-limit';

const CONCURRENCY = 20;

/**
 * Maps items with at most 20 calls at a time, started in order. After an error no further call
 * starts.
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
