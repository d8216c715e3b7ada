import { z } from 'zod';
import { jsonObject, limit, offset, sortOrder } from './common.js';

export const assistantSearch = z.strictObject({
  graph_id: z.string().nullish(),
  name: z.string().nullish(),
  metadata: jsonObject.nullish(),
  limit: limit.nullish(),
  offset: offset.nullish(),
  sort_by: z.enum(['assistant_id', 'graph_id', 'name', 'created_at', 'updated_at']).nullish(),
  sort_order: sortOrder.nullish(),
  select: z.array(z.string()).nullish(),
});

export const assistantCount = assistantSearch.pick({ graph_id: true, name: true, metadata: true });
