import { WRITES_IDX_MAP, type PendingWrite } from '@langchain/langgraph-checkpoint';
import type { StateDocument } from '../state-documents.js';

const ERROR = '__error__';
const ERROR_SOURCE_NODE = '__error_source_node__';

/**
 * Returns a function that tells whether a write to a channel is part of a partial result. A task
 * has one if it fails after it has written: its node has returned, and then its conditional edge
 * throws. LangGraph stores these writes beside the error, and would take the task as finished when
 * it continues from the checkpoint. The error and the answers of a task are never partial. Nothing
 * is partial if the node has an error handler, because LangGraph then applies what it wrote.
 */
export function partialIn(writes: PendingWrite[]): (channel: string) => boolean {
  const channels = new Set(writes.map(([channel]) => channel));
  const isPartial = channels.has(ERROR) && !channels.has(ERROR_SOURCE_NODE);
  return (channel) => isPartial && !(channel in WRITES_IDX_MAP);
}

/** Returns the writes from which a graph continues, so that failed tasks run again. */
export function withoutPartial(documents: StateDocument[]): StateDocument[] {
  return documents.filter(({ write }) => write?.isPartial !== true);
}

/**
 * Returns the writes that readers of the state get: as in LangGraph those of failed tasks too, but
 * not if the task has succeeded in a later attempt.
 */
export function withoutSuperseded(documents: StateDocument[]): StateDocument[] {
  const complete = withoutPartial(documents).flatMap(({ write }) => (write && write.index >= 0 ? [write.taskId] : []));
  const finished = new Set(complete);
  return documents.filter(({ write }) => write?.isPartial !== true || !finished.has(write.taskId));
}
