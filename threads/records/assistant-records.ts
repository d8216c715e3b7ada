import { uuid5 } from '@langchain/langgraph-checkpoint';
import type { Assistant, AssistantVersion } from '../../protocol/index.js';
import type { NewAssistant, RegisteredGraph } from './ports.js';
import { encodeJson, labels, type JsonObject } from './record-fields.js';

/** What one version of an assistant says. */
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

/** An assistant, with all that its current version says: reading it is one read. */
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

/** LangGraph's namespace of assistants that stand for a graph; both official servers use it, and clients know the ids. */
const GRAPH_NAMESPACE = '6ba7b821-9dad-11d1-80b4-00c04fd430c8';
const SYSTEM_METADATA = { created_by: 'system' };

/** Id of the assistant that every graph has. */
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

export function firstVersion(tenant: string, given: Omit<NewAssistant, 'ifExists'>): AssistantDocument {
  const now = new Date();
  return {
    _id: assistantKey(tenant, given.assistantId),
    ...versionFields({ tenant, ...given, version: 1 }),
    createdAt: now,
    updatedAt: now,
  };
}

export function versionFields(assistant: Omit<AssistantVersion, 'createdAt' | 'isSystem'>): VersionFields {
  const { tenant, assistantId, graphId, name, description, config, context, metadata, version } = assistant;
  const what = (field: string) => `${field} of assistant ${assistantId}`;
  return {
    tenant,
    assistantId,
    graphId,
    name,
    description,
    config: encodeJson(what('config'), config),
    context: encodeJson(what('context'), context),
    metadata: encodeJson(what('metadata'), metadata),
    labels: labels(tenant, metadata),
    version,
  };
}

/** The record of the version that an assistant has now. Every change is a version, so it was made when the assistant last changed. */
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
