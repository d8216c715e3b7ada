import type { Response } from 'express';

/** Tells how many there are, and where the next page begins while there is one. */
export function setPagination(
  res: Response,
  { offset, limit, total }: { offset: number; limit: number; total: number },
): void {
  res.setHeader('X-Pagination-Total', total);
  if (offset + limit < total) res.setHeader('X-Pagination-Next', offset + limit);
}
