import { uuid5 } from '@langchain/langgraph-checkpoint';
import type { Assistant } from '../protocol/index.js';
import { labels, type JsonObject } from './record-fields.js';

export interface AssistantDocument {
  /** `<tenant>/<assistantId>` */
  _id: string;
  tenant: string;
  assistantId: string;
  graphId: string;
  name: string;
  description: string | null;
  /** JSON text. */
  config: string;
  /** JSON text. */
  context: string;
  /** JSON text. */
  metadata: string;
  labels: string[];
  version: number;
  createdAt: Date;
  updatedAt: Date;
}

/** LangGraph's namespace of assistants that stand for a graph; both official servers use it, and clients know the ids. */
const GRAPH_NAMESPACE = '6ba7b821-9dad-11d1-80b4-00c04fd430c8';
const SYSTEM_METADATA = { created_by: 'system' };

/** Id of the assistant that every graph has. */
export function systemAssistantId(graphId: string): string {
  return uuid5(graphId, GRAPH_NAMESPACE);
}

export function assistantKey(tenant: string, assistantId: string): string {
  return `${tenant}/${assistantId}`;
}

export function systemAssistant(tenant: string, graph: { graphId: string; description?: string }): AssistantDocument {
  const assistantId = systemAssistantId(graph.graphId);
  const now = new Date();
  return {
    _id: assistantKey(tenant, assistantId),
    tenant,
    assistantId,
    graphId: graph.graphId,
    name: graph.graphId,
    description: graph.description ?? null,
    config: '{}',
    context: '{}',
    metadata: JSON.stringify(SYSTEM_METADATA),
    labels: labels(tenant, SYSTEM_METADATA),
    version: 1,
    createdAt: now,
    updatedAt: now,
  };
}

export function asAssistant(document: AssistantDocument): Assistant {
  const { tenant, assistantId, graphId, name, description, version, createdAt, updatedAt } = document;
  return {
    tenant,
    assistantId,
    graphId,
    name,
    description,
    config: JSON.parse(document.config) as JsonObject,
    context: JSON.parse(document.context) as unknown,
    metadata: JSON.parse(document.metadata) as JsonObject,
    version,
    createdAt,
    updatedAt,
  };
}
