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

/** Task queue that every worker serves unless told otherwise. */
export const DEFAULT_TASK_QUEUE = 'colloquy';
