import type { Thread, ThreadTtl } from '../../protocol/index.js';

/**
 * Converts a thread to the form that LangGraph's clients read. `values` are the values of the
 * thread's state. They are null if the thread has no state, or if the state cannot be read. If
 * `values` is undefined, the field is left out.
 */
export function threadToWire(thread: Thread, values?: unknown): Record<string, unknown> {
  return {
    thread_id: thread.threadId,
    created_at: thread.createdAt.toISOString(),
    updated_at: thread.updatedAt.toISOString(),
    state_updated_at: thread.stateUpdatedAt.toISOString(),
    metadata: thread.metadata,
    status: thread.status,
    config: thread.config,
    ...(values !== undefined && { values }),
    interrupts: thread.interrupts,
    error: thread.error ?? null,
  };
}

export function ttlToWire({ strategy, minutes, expiresAt }: ThreadTtl): Record<string, unknown> {
  return { strategy, ttl_minutes: minutes, expires_at: expiresAt.toISOString() };
}
