import { z } from 'zod';

const part = z.boolean().nullish();

/** Body of `POST /internal/truncate`: what to empty. */
export const truncateBody = z.strictObject({
  runs: part,
  threads: part,
  assistants: part,
  checkpointer: part,
  store: part,
});
