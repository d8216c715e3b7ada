import type { Caller } from './caller.js';

/** Workflow id of a conversation. Thread ids are UUIDs and tenants DNS labels, so no part can hold a slash. */
export function conversationId(tenant: string, threadId: string): string {
  return `conversation/${tenant}/${threadId}`;
}

/** Id of a cron's Schedule, and with the scheduled time behind it of the workflow of each firing. */
export function cronScheduleId(tenant: string, cronId: string): string {
  return `cron/${tenant}/${cronId}`;
}

/** Workflow id of the delivery of a run's webhook. */
export function webhookId(tenant: string, runId: string): string {
  return `webhook/${tenant}/${runId}`;
}

/**
 * Makes an id from who asks and from what for: the same for the same, and unpredictable to whoever does not know the secret of the
 * database. The caller's tenant and principal are part of it.
 */
export type DeriveId = (caller: Caller, purpose: string, ...parts: string[]) => string;

/** Task queue that every worker serves unless told otherwise. */
export const DEFAULT_TASK_QUEUE = 'colloquy';
