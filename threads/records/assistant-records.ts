import { uuid5 } from '@langchain/langgraph-checkpoint';
import type { Assistant, AssistantVersion } from '../../protocol/index.js';
import type { NewAssistant, RegisteredGraph } from './ports.js';
import { encodeJson, recordLabels, type JsonObject } from './record-fields.js';

/** The fields that each version of an assistant has. */
interface VersionFields {
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
}

/**
 * The record of an assistant. It contains all fields of the assistant's current version, so that
 * one read is enough.
 */
export interface AssistantDocument extends VersionFields {
  /** `<tenant>/<assistantId>` */
  _id: string;
  createdAt: Date;
  updatedAt: Date;
}

export interface VersionDocument extends VersionFields {
  /** `<tenant>/<assistantId>/<version>` */
  _id: string;
  /** `<tenant>/<assistantId>` */
  assistant: string;
  createdAt: Date;
}

/**
 * UUID namespace from which LangGraph's own servers compute the ids of system assistants. Clients
 * compute these ids in the same way, so Colloquy must use the same namespace.
 */
const GRAPH_NAMESPACE = '6ba7b821-9dad-11d1-80b4-00c04fd430c8';
const SYSTEM_METADATA = { created_by: 'system' };

/** Returns the id of the system assistant of a graph. Every graph has one system assistant. */
export function systemAssistantId(graphId: string): string {
  return uuid5(graphId, GRAPH_NAMESPACE);
}

export function isSystemAssistant({ assistantId, graphId }: { assistantId: string; graphId: string }): boolean {
  return assistantId === systemAssistantId(graphId);
}

export function assistantKey(tenant: string, assistantId: string): string {
  return `${tenant}/${assistantId}`;
}

export function systemAssistant(tenant: string, graph: RegisteredGraph): AssistantDocument {
  return firstVersion(tenant, {
    assistantId: systemAssistantId(graph.graphId),
    graphId: graph.graphId,
    name: graph.graphId,
    description: graph.description ?? null,
    config: graph.config ?? {},
    context: graph.context ?? {},
    metadata: SYSTEM_METADATA,
  });
}

export function firstVersion(tenant: string, assistant: Omit<NewAssistant, 'ifExists'>): AssistantDocument {
  const now = new Date();
  return {
    _id: assistantKey(tenant, assistant.assistantId),
    ...versionFields({ tenant, ...assistant, version: 1 }),
    createdAt: now,
    updatedAt: now,
  };
}

export function versionFields(assistant: Omit<AssistantVersion, 'createdAt' | 'isSystem'>): VersionFields {
  const { tenant, assistantId, graphId, name, description, config, context, metadata, version } = assistant;
  const label = (field: string) => `${field} of assistant ${assistantId}`;
  return {
    tenant,
    assistantId,
    graphId,
    name,
    description,
    config: encodeJson(label('config'), config),
    context: encodeJson(label('context'), context),
    metadata: encodeJson(label('metadata'), metadata),
    labels: recordLabels(tenant, metadata),
    version,
  };
}

/**
 * Returns the version record of an assistant's current version, made from the assistant's record.
 * An update of an assistant creates a version, so the version's `createdAt` is the assistant's
 * `updatedAt`.
 */
export function currentVersion({ _id, updatedAt, createdAt: _, ...fields }: AssistantDocument): VersionDocument {
  return { ...fields, _id: versionKey(_id, fields.version), assistant: _id, createdAt: updatedAt };
}

export function versionKey(assistant: string, version: number): string {
  return `${assistant}/${version}`;
}

export function asAssistant(document: AssistantDocument): Assistant {
  return { ...asVersion(document), updatedAt: document.updatedAt };
}

export function asVersion(document: AssistantDocument | VersionDocument): AssistantVersion {
  const { tenant, assistantId, graphId, name, description, version, createdAt } = document;
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
    isSystem: isSystemAssistant(document),
    createdAt,
  };
}
