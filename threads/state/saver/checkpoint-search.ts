import type { RunnableConfig } from '@langchain/core/runnables';
import type { CheckpointListOptions, CheckpointMetadata, CheckpointTuple } from '@langchain/langgraph-checkpoint';
import type { StateCollection, StateReads } from '../state-collection.js';
import { checkpointGroup, parseCheckpointKey, prefixRange, writeGroup } from '../state-documents.js';
import type { CheckpointCodec } from './checkpoint-codec.js';

export interface CheckpointList {
  state: StateCollection;
  /** Where pending writes come from. */
  reads: StateReads;
  codec: CheckpointCodec;
}

interface CheckpointSearch {
  /** What the database looks for: checkpoints of the tenant, of one thread, or of one namespace of it. */
  filter: { group: string | { $gte: string; $lt: string } | { $regex: string } };
  /** Whether a checkpoint is of the namespace and the id that were asked for, and older than `before`. */
  isWithin: (at: { ns: string; id: string }) => boolean;
  /** Whether its metadata holds everything that was asked for. */
  hasWanted: (metadata: CheckpointMetadata) => boolean;
}

/** Checkpoints as `list` of a saver returns them, newest first. Each part of the config may be left out. */
export async function* listCheckpoints(
  { state, reads, codec }: CheckpointList,
  config: RunnableConfig,
  options: CheckpointListOptions,
): AsyncGenerator<CheckpointTuple> {
  const search = searchOf(state.tenant, config, options);
  let left = options.limit ?? Number.POSITIVE_INFINITY;
  for await (const document of state.findSorted(search.filter)) {
    if (left <= 0) return;
    const { threadId, ns, id } = parseCheckpointKey(document._id);
    if (!search.isWithin({ ns, id }) || !search.hasWanted(await codec.metadataOf(document))) continue;
    const writes = await reads.readGroup(writeGroup(state.tenant, threadId, ns, id));
    left -= 1;
    yield await codec.decodePast(document, writes, { configurable: { thread_id: threadId, checkpoint_ns: ns } });
  }
}

function searchOf(tenant: string, config: RunnableConfig, options: CheckpointListOptions): CheckpointSearch {
  const { thread_id: threadId, checkpoint_ns: ns, checkpoint_id: only } = (config.configurable ?? {}) as ListedPart;
  const { checkpoint_id: before } = (options.before?.configurable ?? {}) as ListedPart;
  const wanted = Object.entries(options.filter ?? {});
  return {
    filter: { group: groupOf(tenant, threadId, ns) },
    isWithin: (at) =>
      (ns === undefined || at.ns === ns) &&
      (only === undefined || at.id === only) &&
      (before === undefined || at.id < before),
    hasWanted: (metadata) => wanted.every(([key, value]) => same((metadata as Record<string, unknown>)[key], value)),
  };
}

interface ListedPart {
  thread_id?: string;
  checkpoint_ns?: string;
  checkpoint_id?: string;
}

function groupOf(tenant: string, threadId?: string, ns?: string): CheckpointSearch['filter']['group'] {
  if (threadId === undefined) return { $regex: `^${tenant}/[^/]*/c/` };
  return ns === undefined ? prefixRange(checkpointGroup(tenant, threadId)) : checkpointGroup(tenant, threadId, ns);
}

function same(a: unknown, b: unknown): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
