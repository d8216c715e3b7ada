import type { Client } from '@temporalio/client';

/**
 * Returns everything that Temporal stores and shows of a workflow as one text: the histories of all
 * its executions, its description, its current details, and the results of the given queries.
 * Base64 is also added in decoded form, so that payloads can be searched.
 */
export async function textInTemporal(client: Client, workflowId: string, queries: string[] = []): Promise<string> {
  const handle = client.workflow.getHandle(workflowId);
  const { raw, ...described } = await handle.describe();
  const kept: unknown[] = [raw, described.memo, described.typedSearchAttributes.getAll()];
  let runId = raw.workflowExecutionInfo?.firstRunId;
  while (runId) {
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    kept.push(history);
    runId = history.events?.at(-1)?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
  }
  for (const query of ['__temporal_workflow_metadata', ...queries]) kept.push(await handle.query(query));
  return kept.flatMap(textsIn).join('\n');
}

/** Returns the current details of a workflow, which Temporal's Web UI shows. */
export async function currentDetails(client: Client, workflowId: string): Promise<string> {
  const handle = client.workflow.getHandle(workflowId);
  const { currentDetails } = await handle.query<{ currentDetails?: string }>('__temporal_workflow_metadata');
  return currentDetails ?? '';
}

/** Returns every string in a value, and the names of its fields. */
function textsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value, ...decoded(value)];
  if (value instanceof Uint8Array) return textsIn(Buffer.from(value).toString('utf8'));
  if (Array.isArray(value)) return value.flatMap(textsIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [name, ...textsIn(inner)]);
}

const BASE64 = /[A-Za-z0-9+/_-]{16,}={0,2}/g;

function decoded(text: string): string[] {
  return (text.match(BASE64) ?? []).map((part) => Buffer.from(part, 'base64').toString('utf8'));
}
