import type { RunnableConfig } from '@langchain/core/runnables';
import { ColloquyError } from '../../../protocol/index.js';

interface CheckpointAddress {
  threadId: string;
  ns: string;
  /** If absent, the address means the newest checkpoint of the namespace. */
  checkpointId?: string;
}

/**
 * Returns the address of the checkpoint that a LangGraph config names. Errors: `invalid_argument`.
 */
export function addressOf(config: RunnableConfig): CheckpointAddress {
  const {
    thread_id: threadId,
    checkpoint_ns: ns = '',
    checkpoint_id: id,
  }: Record<string, unknown> = config.configurable ?? {};
  if (typeof threadId !== 'string' || threadId === '') {
    throw invalidConfig('thread_id', `is ${JSON.stringify(threadId)}; expected a string`);
  }
  if (typeof ns !== 'string') throw invalidConfig('checkpoint_ns', `is ${JSON.stringify(ns)}; expected a string`);
  if (id === undefined || id === null || id === '') return { threadId, ns };
  if (typeof id !== 'string') throw invalidConfig('checkpoint_id', `is ${JSON.stringify(id)}; expected a string`);
  return { threadId, ns, checkpointId: id };
}

/** Returns the LangGraph config that names a checkpoint. */
export function configOf(threadId: string, ns: string, checkpointId: string): RunnableConfig {
  return { configurable: { thread_id: threadId, checkpoint_ns: ns, checkpoint_id: checkpointId } };
}

export function invalidConfig(name: string, problem: string): ColloquyError {
  const field = `configurable.${name}`;
  return new ColloquyError('invalid_argument', `${field} ${problem}`, { field });
}
