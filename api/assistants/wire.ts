import type { Assistant, AssistantVersion } from '../../protocol/index.js';

/** Converts an assistant to the form that LangGraph's clients read. */
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
