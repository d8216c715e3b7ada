import type { Caller } from './caller.js';

/**
 * Returns the workflow id of a conversation. Thread ids are UUIDs and tenants are DNS labels, so no
 * part can contain a slash.
 */
export function conversationId(tenant: string, threadId: string): string {
  return `conversation/${tenant}/${threadId}`;
}

/**
 * Returns the id of a cron's Schedule. The workflow id of a firing is this id with the scheduled
 * time appended.
 */
export function cronScheduleId(tenant: string, cronId: string): string {
  return `cron/${tenant}/${cronId}`;
}

/** Returns the workflow id of the delivery of a run's webhook. */
export function webhookId(tenant: string, runId: string): string {
  return `webhook/${tenant}/${runId}`;
}

/**
 * Derives an id from the caller's tenant and principal, a purpose and parts. The same input gives
 * the same id. Nobody can predict it without the secret of the database.
 */
export type DeriveId = (caller: Caller, purpose: string, ...parts: string[]) => string;

/** Default task queue of workers. */
export const DEFAULT_TASK_QUEUE = 'colloquy';
