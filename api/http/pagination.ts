import type { Response } from 'express';

/**
 * Sets the headers with the total number of records and with the offset of the next page. Without a
 * next page, there is no header for its offset.
 */
export function setPagination(
  res: Response,
  { offset, limit, total }: { offset: number; limit: number; total: number },
): void {
  res.setHeader('X-Pagination-Total', total);
  if (offset + limit < total) res.setHeader('X-Pagination-Next', offset + limit);
}
