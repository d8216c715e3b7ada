import type { Caller } from './caller.js';

/**
 * Returns the workflow id of a conversation. Thread ids are UUIDs and tenants are DNS labels, so no
 * part can contain a slash.
 */
export function conversationId(tenant: string, threadId: string): string {
  return `conversation/${tenant}/${threadId}`;
}

/**
 * Returns the id of a cron's Schedule in Temporal. For the workflow of a firing, Temporal appends
 * the scheduled time to this id.
 */
export function cronScheduleId(tenant: string, cronId: string): string {
  return `cron/${tenant}/${cronId}`;
}

/** Returns the id of the workflow that delivers a run's webhook. */
export function webhookId(tenant: string, runId: string): string {
  return `webhook/${tenant}/${runId}`;
}

/**
 * Derives an id from the caller's tenant and principal, `purpose` and `parts`. The same arguments
 * always give the same id. Nobody can predict an id without the secret that is stored in the
 * database.
 */
export type DeriveId = (caller: Caller, purpose: string, ...parts: string[]) => string;

/** Default task queue of workers. */
export const DEFAULT_TASK_QUEUE = 'colloquy';
