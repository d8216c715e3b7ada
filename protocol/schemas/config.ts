import { z } from 'zod';
import { checkpointId, checkpointMap, checkpointNs } from './common.js';
import { metadata } from './metadata.js';
import { names } from './text.js';

/**
 * Prefix of LangGraph's own keys in `configurable`. A client that sets one could control the
 * engine.
 */
export const ENGINE_PREFIX = '__pregel_';

/**
 * Values for graphs, a checkpoint in LangGraph's spelling, and what a project's auth adds about the
 * user.
 */
const configurable = z
  .looseObject({
    checkpoint_id: checkpointId.nullish(),
    checkpoint_ns: checkpointNs.nullish(),
    checkpoint_map: checkpointMap.nullish(),
  })
  .superRefine((given, context) => {
    for (const key of Object.keys(given).filter((one) => one.startsWith(ENGINE_PREFIX))) {
      const message = `keys that begin with ${ENGINE_PREFIX} belong to LangGraph`;
      context.addIssue({ code: 'custom', path: [key], message });
    }
  });

/** The config of runs and of assistants. */
export const config = z.strictObject({
  tags: names.nullish(),
  recursion_limit: z.int().min(1).nullish(),
  configurable: configurable.nullish(),
  metadata: metadata.nullish(),
});
