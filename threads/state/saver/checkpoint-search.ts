import type { RunnableConfig } from '@langchain/core/runnables';
import type { CheckpointListOptions, CheckpointMetadata } from '@langchain/langgraph-checkpoint';
import { checkpointGroup, prefixRange } from '../state-documents.js';

export interface CheckpointSearch {
  /** What the database looks for: checkpoints of the tenant, of one thread, or of one namespace of it. */
  filter: { group: string | { $gte: string; $lt: string } | { $regex: string } };
  /** Whether a checkpoint is of the namespace and the id that were asked for, and older than `before`. */
  isWithin: (at: { ns: string; id: string }) => boolean;
  /** Whether its metadata holds everything that was asked for. */
  hasWanted: (metadata: CheckpointMetadata) => boolean;
}

/** What `list` of a checkpoint saver asks for; each part of the config may be left out. */
export function checkpointSearch(
  tenant: string,
  config: RunnableConfig,
  options: CheckpointListOptions,
): CheckpointSearch {
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
