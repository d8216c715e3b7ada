import type { Response } from 'express';

/** Sets the total, and the offset of the next page if there is one. */
export function setPagination(
  res: Response,
  { offset, limit, total }: { offset: number; limit: number; total: number },
): void {
  res.setHeader('X-Pagination-Total', total);
  if (offset + limit < total) res.setHeader('X-Pagination-Next', offset + limit);
}
