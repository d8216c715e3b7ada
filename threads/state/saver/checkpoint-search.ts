import type { RunnableConfig } from '@langchain/core/runnables';
import type { CheckpointListOptions, CheckpointMetadata, CheckpointTuple } from '@langchain/langgraph-checkpoint';
import type { StateCollection, StateReads } from '../state-collection.js';
import { checkpointGroup, parseCheckpointKey, prefixRange, writeGroup } from '../state-documents.js';
import type { CheckpointCodec } from './checkpoint-codec.js';

interface CheckpointListSource {
  state: StateCollection;
  /** Source of the pending writes of the listed checkpoints. */
  reads: StateReads;
  codec: CheckpointCodec;
}

interface CheckpointSearch {
  /**
   * Filter of the database query. It selects all checkpoints of the tenant, of one thread, or of
   * one namespace of a thread.
   */
  filter: { group: string | { $gte: string; $lt: string } | { $regex: string } };
  /**
   * Returns whether a checkpoint has the namespace and the id that are in the config of the search,
   * and is older than the checkpoint in the option `before`. Each of the three is checked only if
   * the search contains it.
   */
  isWithin: (checkpoint: { ns: string; id: string }) => boolean;
  /** Returns whether the metadata of a checkpoint match the filter of the search. */
  matchesFilter: (metadata: CheckpointMetadata) => boolean;
}

/**
 * Implements the method `list` of the savers: yields the checkpoints that a search finds. Within a
 * namespace, the newest checkpoint comes first. The thread id, the namespace and the checkpoint id
 * in the config are optional. For example, a config without a namespace finds the checkpoints of
 * all namespaces.
 */
export async function* listCheckpoints(
  { state, reads, codec }: CheckpointListSource,
  config: RunnableConfig,
  options: CheckpointListOptions,
): AsyncGenerator<CheckpointTuple> {
  const search = searchOf(state.tenant, config, options);
  let remaining = options.limit ?? Number.POSITIVE_INFINITY;
  for await (const document of state.findSorted(search.filter)) {
    if (remaining <= 0) return;
    const { threadId, ns, id } = parseCheckpointKey(document._id);
    if (!search.isWithin({ ns, id }) || !search.matchesFilter(await codec.metadataOf(document))) continue;
    const writes = await reads.readGroup(writeGroup(state.tenant, threadId, ns, id));
    remaining -= 1;
    yield await codec.decodePast(document, writes, { configurable: { thread_id: threadId, checkpoint_ns: ns } });
  }
}

function searchOf(tenant: string, config: RunnableConfig, options: CheckpointListOptions): CheckpointSearch {
  const {
    thread_id: threadId,
    checkpoint_ns: ns,
    checkpoint_id: checkpointId,
  } = (config.configurable ?? {}) as ListConfig;
  const { checkpoint_id: before } = (options.before?.configurable ?? {}) as ListConfig;
  const filter = Object.entries(options.filter ?? {});
  return {
    filter: { group: groupOf(tenant, threadId, ns) },
    isWithin: ({ ns: itsNs, id }) =>
      (ns === undefined || itsNs === ns) &&
      (checkpointId === undefined || id === checkpointId) &&
      (before === undefined || id < before),
    matchesFilter: (metadata) =>
      filter.every(([key, value]) => isEqualJson((metadata as Record<string, unknown>)[key], value)),
  };
}

interface ListConfig {
  thread_id?: string;
  checkpoint_ns?: string;
  checkpoint_id?: string;
}

function groupOf(tenant: string, threadId?: string, ns?: string): CheckpointSearch['filter']['group'] {
  if (threadId === undefined) return { $regex: `^${tenant}/[^/]*/c/` };
  return ns === undefined ? prefixRange(checkpointGroup(tenant, threadId)) : checkpointGroup(tenant, threadId, ns);
}

function isEqualJson(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
