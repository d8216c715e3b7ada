import { z } from 'zod';

const part = z.boolean().nullish();

/** Body of `POST /internal/truncate`: which kinds of records to delete. */
export const truncateBody = z.strictObject({
  runs: part,
  threads: part,
  assistants: part,
  checkpointer: part,
  store: part,
});
