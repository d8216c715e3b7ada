import type { Filter, UpdateFilter } from 'mongodb';
import type { Caller, Cron, CronFilters, Principal, ScheduleOptions } from '../../protocol/index.js';
import type { CronChange, CronFilter, CronPatch, NewCron } from './cron-store.js';
import { encodeJson, guardUuid, recordLabels, queryLabels, withLabels, type JsonObject } from './record-fields.js';
import { threadKey } from './thread-documents.js';

export interface CronDocument {
  /** `<tenant>/<cronId>` */
  _id: string;
  tenant: string;
  cronId: string;
  assistantId: string;
  threadId: string | null;
  /** Key of the cron's thread, `<tenant>/<threadId>`, indexed. Absent if the cron has no thread. */
  thread?: string;
  schedule: string;
  timezone: string | null;
  endTime: Date | null;
  enabled: boolean;
  onRunCompleted: 'delete' | 'keep';
  /** JSON text. */
  payload: string;
  /** JSON text. */
  metadata: string;
  labels: string[];
  options: ScheduleOptions;
  /**
   * JSON text of the auth filters for the cron's firings. Absent if the project had no auth
   * handlers when a client created the cron or last changed it.
   */
  filters?: string;
  nextRunAt: Date | null;
  createdBy: Principal;
  rev: number;
  /**
   * Contains the tenant as long as the cron's Temporal Schedule may lack the last change of this
   * record. Otherwise absent. An index on this field finds such crons.
   */
  unsettled?: string;
  change?: CronChange;
  /** Set while the cron is being created or deleted. */
  hidden?: true;
  createdAt: Date;
  updatedAt: Date;
}

export function cronKey(tenant: string, cronId: string): string {
  return `${tenant}/${guardUuid('cron_id', cronId)}`;
}

export function newCronDocument(caller: Caller, cron: NewCron): CronDocument {
  const now = new Date();
  return {
    _id: cronKey(caller.tenant, cron.cronId),
    tenant: caller.tenant,
    cronId: cron.cronId,
    assistantId: cron.assistantId,
    threadId: cron.threadId ?? null,
    ...(cron.threadId !== undefined && { thread: threadKey(caller.tenant, cron.threadId) }),
    schedule: cron.schedule,
    timezone: cron.timezone ?? null,
    endTime: cron.endTime ?? null,
    enabled: cron.enabled,
    onRunCompleted: cron.onRunCompleted,
    payload: encodeJson(`payload of cron ${cron.cronId}`, cron.payload),
    metadata: encodeJson(`metadata of cron ${cron.cronId}`, cron.metadata),
    labels: recordLabels(caller.tenant, cron.metadata),
    options: cron.options,
    ...(cron.filters && { filters: encodeJson(`filters of cron ${cron.cronId}`, cron.filters) }),
    nextRunAt: null,
    createdBy: caller.principal,
    rev: 1,
    unsettled: caller.tenant,
    change: 'create',
    hidden: true,
    createdAt: now,
    updatedAt: now,
  };
}

/** Returns the MongoDB update that applies a patch to `current`, the document as it was read. */
export function patchUpdate(current: CronDocument, patch: CronPatch): UpdateFilter<CronDocument> {
  const { schedule, timezone, endTime, enabled, onRunCompleted, options, filters } = patch;
  const metadata = { ...(JSON.parse(current.metadata) as JsonObject), ...patch.metadata };
  const payload = { ...(JSON.parse(current.payload) as JsonObject), ...patch.payload };
  for (const [key, value] of Object.entries(payload)) if (value === null) delete payload[key];
  return {
    $set: {
      ...(schedule !== undefined && { schedule }),
      ...(timezone !== undefined && { timezone }),
      ...(endTime !== undefined && { endTime }),
      ...(enabled !== undefined && { enabled }),
      ...(onRunCompleted !== undefined && { onRunCompleted }),
      ...(options !== undefined && { options: { ...current.options, ...options } }),
      ...(filters && { filters: encodeJson(`filters of cron ${current.cronId}`, filters) }),
      payload: encodeJson(`payload of cron ${current.cronId}`, payload),
      metadata: encodeJson(`metadata of cron ${current.cronId}`, metadata),
      labels: recordLabels(current.tenant, metadata),
      unsettled: current.tenant,
      change: 'update',
      updatedAt: new Date(),
    },
    ...(filters === null && { $unset: { filters: '' } }),
    $inc: { rev: 1 },
  };
}

/**
 * Returns the MongoDB filter for a search. The most selective indexed field comes first, because
 * some databases with MongoDB's protocol use the index of the first indexed field.
 */
export function cronFilter(caller: Caller, filter: CronFilter): Filter<CronDocument> {
  const wanted = queryLabels(caller.tenant, filter.metadata ?? {});
  return {
    ...(filter.threadId === undefined ? {} : { thread: threadKey(caller.tenant, filter.threadId) }),
    ...withLabels(caller.tenant, wanted, filter.required),
    tenant: caller.tenant,
    hidden: { $exists: false },
    ...(filter.assistantId === undefined ? {} : { assistantId: { $eq: filter.assistantId } }),
    ...(filter.enabled === undefined ? {} : { enabled: filter.enabled }),
  };
}

export function asCron(document: CronDocument): Cron {
  const { tenant, cronId, assistantId, schedule, enabled, onRunCompleted, options, createdBy, rev } = document;
  return {
    tenant,
    cronId,
    assistantId,
    ...(document.threadId !== null && { threadId: document.threadId }),
    schedule,
    ...(document.timezone !== null && { timezone: document.timezone }),
    ...(document.endTime !== null && { endTime: document.endTime }),
    enabled,
    onRunCompleted,
    payload: JSON.parse(document.payload) as JsonObject,
    metadata: JSON.parse(document.metadata) as JsonObject,
    options,
    ...(document.filters !== undefined && { filters: JSON.parse(document.filters) as CronFilters }),
    ...(document.nextRunAt !== null && { nextRunAt: document.nextRunAt }),
    createdBy,
    rev,
    createdAt: document.createdAt,
    updatedAt: document.updatedAt,
  };
}
