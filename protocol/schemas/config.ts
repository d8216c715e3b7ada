import { z } from 'zod';
import { checkpointId, checkpointMap, checkpointNs } from './common.js';
import { metadata } from './metadata.js';
import { names } from './text.js';

/**
 * Prefix of the keys in `configurable` that LangGraph's engine itself uses. Clients must not set
 * such keys, because they could control the engine with them.
 */
export const ENGINE_PREFIX = '__pregel_';

/**
 * The field `configurable` of a config: values for the graph, the checkpoint to start from (in the
 * keys that LangGraph uses), and the user, as the project's auth returned it.
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
