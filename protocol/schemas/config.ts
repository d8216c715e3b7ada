import { z } from 'zod';
import { jsonObject } from './common.js';
import { names } from './text.js';

/** The config of runs, and of assistants, whose runs take all of it. */
export const config = z.strictObject({
  tags: names.nullish(),
  recursion_limit: z.int().min(1).nullish(),
  configurable: jsonObject.nullish(),
  metadata: jsonObject.nullish(),
});
