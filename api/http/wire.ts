import type { Assistant, AssistantVersion, Thread, ThreadTtl } from '../../protocol/index.js';

export { runToWire } from '../../protocol/index.js';

/** Records as LangGraph's clients read them: snake case, ISO 8601. */

export function assistantToWire(assistant: Assistant): Record<string, unknown> {
  return {
    assistant_id: assistant.assistantId,
    graph_id: assistant.graphId,
    name: assistant.name,
    description: assistant.description,
    config: assistant.config,
    context: assistant.context,
    metadata: assistant.metadata,
    version: assistant.version,
    created_at: assistant.createdAt.toISOString(),
    updated_at: assistant.updatedAt.toISOString(),
  };
}

export function assistantVersionToWire(version: AssistantVersion): Record<string, unknown> {
  const { updated_at: _, ...wire } = assistantToWire({ ...version, updatedAt: version.createdAt });
  return wire;
}

/** `values`: the thread's state; null for a thread that never ran, absent where it was not asked for. */
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

/** Only the named fields; `values.<key>` names one key of the state. Everything without a selection. */
export function select(record: object, fields: readonly string[] | null | undefined): object {
  if (!fields) return record;
  const source = record as Record<string, unknown>;
  const picked: Record<string, unknown> = {};
  for (const field of fields) {
    if (field in source) picked[field] = source[field];
    else if (field.startsWith('values.'))
      picked['values'] = { ...asObject(picked['values']), ...valueAt(source, field) };
  }
  return picked;
}

function valueAt(source: Record<string, unknown>, field: string): Record<string, unknown> {
  const key = field.slice('values.'.length);
  const values = asObject(source['values']);
  return key in values ? { [key]: values[key] } : {};
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
